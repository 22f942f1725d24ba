// What the widgets with a camera share; it stands in front of each one's own script.

const CAMERA_ERRORS = {
  Insecure:
    "The browser offers no camera here: this page must be opened over https or at localhost.",
  NotAllowedError:
    "The browser did not allow the camera. Allow it beside the page's address, then try again.",
  NotFoundError: "No camera was found. Plug one in, then try again.",
  NotReadableError:
    "The camera does not answer. Close other programs that use it, then try again.",
};

/** Open a camera; fails with an Error whose message is meant for the reader. */
async function openCamera(wishes) {
  if (!navigator.mediaDevices) throw new Error(CAMERA_ERRORS.Insecure);
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", ...wishes } });
  } catch ({ name }) {
    throw new Error(CAMERA_ERRORS[name] ?? `The camera could not be opened (${name}).`);
  }
}

function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

/** Fill el; returns its elements by their data-part, and show, say and fail. */
function buildView(el, name, html) {
  el.classList.add("fer-widget", name);
  el.innerHTML = html;
  const parts = el.querySelectorAll("[data-part]");
  const view = Object.fromEntries([...parts].map((part) => [part.dataset.part, part]));
  view.show = (state) => (el.dataset.state = state);
  view.say = (text, isError = false) => {
    view.status.textContent = text;
    view.status.classList.toggle("fer-error", isError);
  };
  view.fail = (text) => view.say(text, true);
  view.show("start");
  return view;
}

/** Draw a picture of width x height onto a canvas, scaled down to maxSide; the canvas fits it. */
function drawScaled(canvas, source, width, height, maxSide) {
  const scale = Math.min(1, maxSide / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // JPEG knows no transparency.
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

function toJpeg(canvas, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}
