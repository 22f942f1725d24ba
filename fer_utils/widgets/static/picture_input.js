// The browser's side of fer_utils.widgets.picture_input.PictureInput.

const MAX_SIDE_PX = 1920;
const MAX_BYTES = 8 * 2 ** 20; // Jupyter drops a connection that sends more than 10 MiB at once.
const SENT_AS_THEY_ARE = ["image/jpeg", "image/png"];
const WISHES = { width: { ideal: 1280 }, height: { ideal: 720 } };
const JPEG_QUALITY = 0.92;
const OR_CHOOSE = " Or choose a picture instead.";
const TOO_LARGE =
  "The browser cannot open this file, and it is too large to send. Choose a JPEG or PNG.";

const HTML = `
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

function render({ model, el }) {
  const view = buildView(el, "fer-picture", HTML);
  let stream = null;
  let removed = false;

  const draw = (source, width, height) =>
    drawScaled(view.canvas, source, width, height, MAX_SIDE_PX);

  async function startCamera() {
    view.open.disabled = true;
    view.say("Waiting for the camera. The browser may ask you to allow it.");
    try {
      stream = await openCamera(WISHES);
      await startPreview();
    } catch (error) {
      closeCamera();
      view.fail(error.message + OR_CHOOSE);
    }
    view.open.disabled = false;
  }

  async function startPreview() {
    if (removed) return closeCamera();
    stream.getVideoTracks()[0].onended = () => {
      closeCamera();
      view.fail(CAMERA_ERRORS.NotReadableError + OR_CHOOSE);
    };
    view.video.srcObject = stream;
    await view.video.play();
    view.show("camera");
    view.say("");
    view.take.focus();
  }

  function closeCamera() {
    release(stream);
    stream = null;
    view.video.srcObject = null;
    view.show("start");
  }

  async function takePhoto() {
    draw(view.video, view.video.videoWidth, view.video.videoHeight);
    closeCamera();
    view.show("picture");
    view.open.focus();
    send(await toJpeg(view.canvas, JPEG_QUALITY));
  }

  async function sendFile(file) {
    if (stream) closeCamera();
    const bitmap = await createImageBitmap(file).catch(() => null);
    view.show(bitmap ? "picture" : "start");
    if (bitmap) draw(bitmap, bitmap.width, bitmap.height);
    send(bitmap && !isSmall(file, bitmap) ? await toJpeg(view.canvas, JPEG_QUALITY) : file);
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
  view.open.onclick = startCamera;
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

function isSmall(file, { width, height }) {
  const goodType = SENT_AS_THEY_ARE.includes(file.type);
  return goodType && file.size <= MAX_BYTES && Math.max(width, height) <= MAX_SIDE_PX;
}

export default { render };
