// The browser's side of fer_utils.webcam.PictureInput.

const MAX_SIDE_PX = 1920;
const MAX_BYTES = 8 * 2 ** 20; // Jupyter drops a connection that sends more than 10 MiB at once.
const SENT_AS_THEY_ARE = ["image/jpeg", "image/png"];
const WISHES = { video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } } };

const OR_CHOOSE = " Or choose a picture instead.";
const INSECURE =
  "The browser offers no camera here: this page must be opened over https or at localhost." +
  OR_CHOOSE;
const CAMERA_ERRORS = {
  NotAllowedError:
    "The browser did not allow the camera. Allow it beside the page's address, then try again." +
    OR_CHOOSE,
  NotFoundError: "No camera was found. Plug one in, then try again." + OR_CHOOSE,
  NotReadableError:
    "The camera does not answer. Close other programs that use it, then try again." + OR_CHOOSE,
};
const TOO_LARGE = "The browser cannot open this file, and it is too large to send. Choose a JPEG or PNG.";

function render({ model, el }) {
  const view = buildView(el);
  let stream = null;
  let removed = false;

  async function openCamera() {
    if (!navigator.mediaDevices) return view.fail(INSECURE);
    view.open.disabled = true;
    view.say("Waiting for the camera. The browser may ask you to allow it.");
    try {
      stream = await navigator.mediaDevices.getUserMedia(WISHES);
      await startPreview();
    } catch (error) {
      closeCamera();
      view.fail(explain(error));
    }
    view.open.disabled = false;
  }

  async function startPreview() {
    if (removed) return closeCamera();
    stream.getVideoTracks()[0].onended = () => {
      closeCamera();
      view.fail(CAMERA_ERRORS.NotReadableError);
    };
    view.video.srcObject = stream;
    await view.video.play();
    view.show("camera");
    view.say("");
    view.take.focus();
  }

  function closeCamera() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    view.video.srcObject = null;
    view.show("start");
  }

  async function takePhoto() {
    draw(view.canvas, view.video, view.video.videoWidth, view.video.videoHeight);
    closeCamera();
    view.show("picture");
    view.open.focus();
    send(await toJpeg(view.canvas));
  }

  async function sendFile(file) {
    if (stream) closeCamera();
    const bitmap = await createImageBitmap(file).catch(() => null);
    view.show(bitmap ? "picture" : "start");
    if (bitmap) draw(view.canvas, bitmap, bitmap.width, bitmap.height);
    send(bitmap && !isSmall(file, bitmap) ? await toJpeg(view.canvas) : file);
    bitmap?.close();
  }

  async function send(blob) {
    if (blob.size > MAX_BYTES) return view.fail(TOO_LARGE);
    view.say("Sending the picture to the kernel …");
    model.send({ kind: "picture" }, undefined, [await blob.arrayBuffer()]);
  }

  function onReply({ kind, width, height, error }) {
    if (kind !== "received") return;
    if (error) view.fail(error);
    else view.say(`The kernel has the picture: ${width} x ${height} px.`);
  }

  view.choose.onclick = () => view.file.click();
  view.file.onchange = () => {
    if (view.file.files.length) sendFile(view.file.files[0]);
    view.file.value = ""; // so that the same file can be chosen again
  };
  view.open.onclick = openCamera;
  view.take.onclick = takePhoto;
  view.close.onclick = () => {
    closeCamera();
    view.open.focus();
  };
  model.on("msg:custom", onReply);
  return () => {
    removed = true;
    model.off("msg:custom", onReply);
    closeCamera();
  };
}

function buildView(el) {
  el.classList.add("fer-picture");
  el.innerHTML = `
    <div class="fer-buttons">
      <button type="button" data-part="choose">Choose a picture</button>
      <button type="button" data-part="open">Open camera</button>
      <button type="button" data-part="take" class="fer-main">Take photo</button>
      <button type="button" data-part="close">Close camera</button>
      <input type="file" accept="image/*" data-part="file" hidden>
    </div>
    <video data-part="video" aria-label="Live picture of the camera" muted playsinline></video>
    <canvas data-part="canvas" role="img" aria-label="The picture"></canvas>
    <div class="fer-status" data-part="status" role="status"></div>
    <div class="fer-note">The picture goes only to this notebook's kernel.</div>`;
  const parts = el.querySelectorAll("[data-part]");
  const view = Object.fromEntries([...parts].map((part) => [part.dataset.part, part]));
  view.show = (state) => (el.dataset.state = state); // "start", "camera" or "picture"
  view.say = (text, isError = false) => {
    view.status.textContent = text;
    view.status.classList.toggle("fer-error", isError);
  };
  view.fail = (text) => view.say(text, true);
  view.show("start");
  return view;
}

function explain(error) {
  return CAMERA_ERRORS[error.name] ?? `The camera could not be opened (${error.name}).${OR_CHOOSE}`;
}

function isSmall(file, { width, height }) {
  const goodType = SENT_AS_THEY_ARE.includes(file.type);
  return goodType && file.size <= MAX_BYTES && Math.max(width, height) <= MAX_SIDE_PX;
}

function draw(canvas, source, width, height) {
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // JPEG knows no transparency.
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
}

function toJpeg(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

export default { render };
