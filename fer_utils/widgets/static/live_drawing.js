// What LiveWebcam draws. A palette holds the names of the emotions, in the order of a face's
// probabilities, and the colors of each label, "unsure" among them: [colour, colour of text on it].

const COURSE_S = 20; // what the chart shows
const GAP_S = 1; // a face that was away for longer begins its curves anew

/** Fit a canvas to its size on the screen and clear it; returns its context, in CSS px. */
function cleared(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

/** Draw boxes and labels over the mirrored picture, which was pictureWidth px wide when sent. */
function drawBoxes(canvas, faces, pictureWidth, palette) {
  const { context, ...size } = cleared(canvas);
  const zoom = size.width / pictureWidth;
  const boxes = faces.map(({ box: [x, y, w, h] }) =>
    [pictureWidth - x - w, y, w, h].map((px) => px * zoom),
  );
  faces.forEach(({ top, label }, i) =>
    drawBox(context, boxes[i], palette.colors[top][0], label !== top),
  );
  faces.forEach(({ id, label, caption }, i) => {
    const text = faces.length > 1 ? `${shownNumber(id)}: ${caption}` : caption;
    drawTag(context, boxes[i], text, palette.colors[label], size);
  });
}

/** What a face is called where it is shown, as `face_number` in drawing.py. */
const shownNumber = (id) => id + 1;

function drawBox(context, box, color, isUnsure) {
  context.beginPath();
  context.roundRect(...box, 6);
  // A dark rim keeps the box visible on a background of its own colour.
  for (const [style, width, dashes] of [["rgb(0 0 0 / 60%)", 5, []], [color, 3, [12, 9]]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.setLineDash(isUnsure ? dashes : []);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawTag(context, [x, y, w, h], text, [color, ink], size) {
  const font = Math.max(10, Math.min(13, size.width / 36));
  const height = 1.7 * font;
  context.font = `600 ${font}px ${getComputedStyle(context.canvas).fontFamily}`;
  const width = context.measureText(text).width + 1.2 * font;
  const left = Math.max(0, Math.min(x - 1.5, size.width - width));
  // Above the box if there is room, else below, else inside along its upper edge.
  const tops = [y - height - 3, y + h + 3, y + 3];
  const top = tops.find((px) => px >= 0 && px + height <= size.height) ?? tops[2];
  context.fillStyle = color;
  context.beginPath();
  context.roundRect(left, top, width, height, 5);
  context.fill();
  context.fillStyle = ink;
  context.textBaseline = "middle";
  context.fillText(text, left + 0.6 * font, top + height / 2 + 1);
}

/** The small chart of one face's emotions over the last seconds, with its legend. */
function buildCourse(view, palette) {
  const colors = palette.emotions.map((name) => palette.colors[name][0]);
  const shares = palette.emotions.map((name, i) => addToLegend(view.legend, name, colors[i]));
  const points = []; // of one face in one picture each: time_s, id, emotions, goesOn
  let before_s; // when the picture before was taken
  let drawn_s; // the time at the chart's right end

  function add(time_s, faces) {
    const last = points.at(-1);
    const face = faces.find(({ id }) => id === last?.id) ?? largest(faces);
    // Pictures may come at any rate: what was in the one before was not away.
    const wasAway = last?.time_s !== before_s && time_s - last?.time_s > GAP_S;
    if (face) points.push({ time_s, goesOn: face.id === last?.id && !wasAway, ...face });
    // The curves come in from the last point before those shown.
    while (points[1]?.time_s < time_s - COURSE_S) points.shift();
    before_s = time_s;
    view.course.hidden &&= !face;
    if (view.course.hidden) return;
    const several = faces.length > 1 ? ` of face ${shownNumber(face.id)}` : "";
    view.caption.textContent = `Emotions${several}, last ${COURSE_S} seconds`;
    drawn_s = time_s;
    draw();
    showShares(shares, face);
  }

  const draw = () => drawCourse(view.chart, points, colors, drawn_s);
  // A change of the page's theme changes the grid's colour, which takes a moment: see the CSS.
  view.chart.ontransitionend = draw;

  /** From now on, nothing is seen: the curves begin anew. What was shown last stays. */
  const leaveOff = () => (before_s = undefined);

  return { add, leaveOff };
}

function largest(faces) {
  const area = ({ box: [, , w, h] }) => w * h;
  return faces.reduce((best, face) => (best && area(best) >= area(face) ? best : face), undefined);
}

function addToLegend(legend, name, color) {
  const item = document.createElement("span");
  item.innerHTML = `<i style="background: ${color}"></i>${name}<b></b>`;
  legend.append(item);
  return { name, item, share: item.lastChild };
}

function showShares(shares, face) {
  shares.forEach(({ name, item, share }, i) => {
    share.textContent = face ? percent(face.emotions[i]) : "–";
    item.classList.toggle("fer-top", name === face?.label);
  });
}

function drawCourse(canvas, points, colors, now_s) {
  const { context, width, height } = cleared(canvas);
  const toX = (time_s) => width * (1 - (now_s - time_s) / COURSE_S);
  const toY = (share) => 3 + (1 - share) * (height - 6);
  drawGrid(context, width, toY);
  context.lineWidth = 2;
  context.lineJoin = "round";
  colors.forEach((color, emotion) => {
    context.strokeStyle = color;
    context.beginPath();
    points.forEach(({ time_s, goesOn, emotions }) => {
      context[goesOn ? "lineTo" : "moveTo"](toX(time_s), toY(emotions[emotion]));
    });
    context.stroke();
  });
}

function drawGrid(context, width, toY) {
  context.strokeStyle = context.fillStyle = getComputedStyle(context.canvas).color;
  context.font = `10px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textBaseline = "top";
  for (const share of [0, 0.5, 1]) {
    context.globalAlpha = 0.15;
    context.beginPath();
    context.moveTo(0, toY(share));
    context.lineTo(width, toY(share));
    context.stroke();
    context.globalAlpha = 0.6;
    if (share) context.fillText(percent(share), 0, toY(share) + 3);
  }
  context.globalAlpha = 1;
}

const percent = (share) => `${Math.round(100 * share)}%`;
