// The browser's side of fer_utils.widgets.live_webcam.LiveWebcam.

const WISHES = { width: { ideal: 640 }, height: { ideal: 480 } };
const MAX_SIDE_PX = 640;
const JPEG_QUALITY = 0.85;
const MIN_GAP_MS = 1000 / 30; // from one picture to the next
const PATIENCE_MS = 1500; // until the reader is told that the kernel is slow
const NO_ANSWER_MS = 10_000;
const FIGURES_MS = 2000; // over which the frames per second are counted

const ASKING = "Waiting for the kernel.";
const OPENING = "Waiting for the camera. The browser may ask you to allow it.";
const SLOW = "Waiting for the kernel, which may be busy with a cell.";
const NO_ANSWER =
  "The kernel did not answer for 10 seconds, so the camera is off. Wait until no cell is " +
  "running, then press Start. After a restart of the kernel, run the cells again.";
const KERNEL_GONE = "The kernel is gone, so the camera is off. Run the cells again.";
const CAMERA_GONE = "The camera was unplugged, or another program took it.";
const STOPPED = "Stopped. In Python, to_frame() returns the table and snapshot() a picture.";
const HIDDEN = "Stopped, because this page went out of sight.";
const OR_STILL = " A picture will do, too: put PictureInput() into a cell.";
const KEPT = "Snapshot kept. In Python, the widget's snapshot() returns it.";

const HTML = `
  <div class="fer-buttons">
    <button type="button" data-part="start" class="fer-main">Start</button>
    <button type="button" data-part="stop" class="fer-main">Stop</button>
    <button type="button" data-part="keep">Snapshot</button>
    <span data-part="figures" class="fer-figures"></span>
  </div>
  <div data-part="stage" class="fer-stage">
    <video data-part="video" aria-label="Live picture of the camera" muted playsinline></video>
    <canvas data-part="still" class="fer-still" role="img" aria-label="The last picture"></canvas>
    <canvas data-part="overlay" class="fer-overlay" aria-hidden="true"></canvas>
  </div>
  <div class="fer-status" data-part="status" role="status"></div>
  <a data-part="link" class="fer-link" download="snapshot.png" hidden>Download the snapshot</a>
  <figure data-part="course" class="fer-course" hidden>
    <figcaption data-part="caption"></figcaption>
    <canvas data-part="chart" role="img" aria-label="The emotions over time"></canvas>
    <div data-part="legend" class="fer-legend"></div>
  </figure>
  <div class="fer-note">
    The pictures go only to this notebook's kernel, and are never saved in the notebook.
  </div>`;

function render({ model, el }) {
  const view = buildView(el, "fer-live", HTML);
  const kernel = connect(model);
  const palette = model.get("_palette");
  const course = buildCourse(view, palette);
  const grabbed = document.createElement("canvas"); // the picture that is under way
  let session = null; // what goes on between Start and Stop

  async function start() {
    const mine = (session = { id: newId(), stream: null, heardMs: Infinity, paceMs: [] });
    try {
      await open(mine);
      while (session === mine) await lookOnce(mine);
    } catch (error) {
      if (session === mine) stop(error.message, true);
    }
    release(mine.stream); // which may have opened only after Stop
  }

  async function open(mine) {
    view.show("opening");
    view.stop.focus();
    view.say(ASKING);
    await kernel.ask({ kind: "start", session: mine.id });
    if (session !== mine) return;
    view.say(OPENING);
    mine.stream = await openCamera(WISHES).catch(({ message }) => {
      throw new Error(message + OR_STILL);
    });
    if (session === mine) await play(mine);
  }

  async function play(mine) {
    mine.stream.getVideoTracks()[0].onended = () => stop(CAMERA_GONE, true);
    view.video.srcObject = mine.stream;
    await view.video.play();
    view.show("live");
    view.say("");
    mine.beganMs = mine.heardMs = performance.now();
  }

  /** Send the newest picture and await its answer; what the camera sees meanwhile is left out. */
  async function lookOnce(mine) {
    const takenMs = performance.now();
    const { videoWidth, videoHeight } = view.video;
    drawScaled(grabbed, view.video, videoWidth, videoHeight, MAX_SIDE_PX);
    const jpeg = await (await toJpeg(grabbed, JPEG_QUALITY)).arrayBuffer();
    const time_s = (takenMs - mine.beganMs) / 1000;
    const answer = await kernel.ask({ kind: "frame", session: mine.id, time_s }, [jpeg]);
    if (session !== mine) return;
    show(mine, answer, takenMs);
    await sleep(takenMs + MIN_GAP_MS - performance.now());
  }

  function show(mine, { faces }, takenMs) {
    const nowMs = (mine.heardMs = performance.now());
    mine.paceMs = [...mine.paceMs.filter((ms) => ms > nowMs - FIGURES_MS), nowMs];
    if (view.status.textContent === SLOW) view.say("");
    keepStill(faces);
    course.add(takenMs / 1000, faces);
    view.figures.textContent = figures(mine, faces.length, nowMs - takenMs);
  }

  /** Draw the boxes, and keep the picture that they belong to: it stays after Stop. */
  function keepStill(faces) {
    drawScaled(view.still, grabbed, grabbed.width, grabbed.height, MAX_SIDE_PX);
    view.stage.classList.add("fer-kept");
    view.overlay.hidden = false;
    drawBoxes(view.overlay, faces, grabbed.width, palette);
  }

  function stop(text, isError = false) {
    if (!session) return;
    release(session.stream);
    session = null;
    view.video.srcObject = null;
    view.overlay.hidden = false;
    course.leaveOff();
    view.show("start");
    view.say(text, isError);
  }

  /** Snapshot: the kernel keeps the picture it answered last, with its boxes, and sends it. */
  async function keep() {
    try {
      const { address } = await kernel.ask({ kind: "keep" });
      view.link.href = address;
      view.link.hidden = false;
      view.say(KEPT);
      view.stage.animate([{ filter: "brightness(2)" }, { filter: "none" }], 300);
    } catch (error) {
      view.fail(error.message);
    }
  }

  function check() {
    if (!session) return;
    if (document.hidden || !el.getClientRects().length) return stop(HIDDEN);
    if (performance.now() - session.heardMs < PATIENCE_MS) return;
    view.say(SLOW);
    view.overlay.hidden = true; // the faces may have moved on
  }

  const onKernelGone = () => stop(KERNEL_GONE, true);
  const checking = setInterval(check, 500);
  document.addEventListener("visibilitychange", check);
  model.on("comm_live_update", onKernelGone);
  view.start.onclick = start;
  view.stop.onclick = () => {
    stop(STOPPED);
    view.start.focus();
  };
  view.keep.onclick = keep;
  return () => {
    stop("");
    clearInterval(checking);
    document.removeEventListener("visibilitychange", check);
    model.off("comm_live_update", onKernelGone);
    kernel.close();
  };
}

/** Questions to the kernel; each is answered, or fails with an Error meant for the reader. */
function connect(model) {
  const answered = new Map(); // what to do with the answer to each open question

  function ask(content, buffers = []) {
    const question = newId();
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(NO_ANSWER)), NO_ANSWER_MS);
      answered.set(question, (reply) => {
        clearTimeout(timer);
        if (reply.error) reject(new Error(reply.error));
        else resolve(reply);
      });
      send({ ...content, question }, buffers);
    });
    return answer.finally(() => answered.delete(question));
  }

  function send(content, buffers) {
    try {
      model.send(content, undefined, buffers);
    } catch {
      throw new Error(KERNEL_GONE);
    }
  }

  const receive = (reply) => answered.get(reply.question)?.(reply);
  model.on("msg:custom", receive);
  return { ask, close: () => model.off("msg:custom", receive) };
}

function figures({ paceMs }, faces, latencyMs) {
  const spanMs = paceMs.at(-1) - paceMs[0];
  const rate = spanMs ? `${((1000 * (paceMs.length - 1)) / spanMs).toFixed(0)} frames/s · ` : "";
  return `${rate}${latencyMs.toFixed(0)} ms · ${faces ? counted(faces, "face") : "no face"}`;
}

const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const newId = () => Math.random().toString(36).slice(2);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default { render };
