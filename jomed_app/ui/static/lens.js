// Magnifier: beside the pointer, never over it, so that it hides no end of a ruler. Without a
// pointer it shows the middle of the chosen image. In a linked pair both show the same place.
const LENS_TIMES = 2.5, LENS_MOST_PX = 180, LENS_GAP_PX = 18, LENS_GAP_TOUCH_PX = 44;
let lensOn = false, lensAt = null;

function lensPlace(pane) {
  const f = frameOf(pane), at = lensAt;
  if (at && at.pane === pane) return at;
  const isPair = compared !== null && linked && ['query', compared].includes(pane.data.id);
  const source = at ? at.pane : active();
  if (source === pane) return { x: f.width / 2, y: f.height / 2, gap: LENS_GAP_PX };
  if (!isPair || !['query', compared].includes(source.data.id)) return null;
  const from = frameOf(source), spot = at || { x: from.width / 2, y: from.height / 2, gap: LENS_GAP_PX };
  const x = f.left + (spot.x - from.left) / from.w * f.w, y = f.top + (spot.y - from.top) / from.h * f.h;
  return x < 0 || y < 0 || x > f.width || y > f.height ? null : { x, y, gap: spot.gap };
}
function drawLens(pane, f) {
  const at = lensOn ? lensPlace(pane) : null;
  pane.lens.hidden = !at;
  if (!at) return;
  const side = Math.max(0, Math.min(LENS_MOST_PX, f.height, f.width / 2 - at.gap - 2));
  const left = at.x + at.gap + side <= f.width ? at.x + at.gap : at.x - at.gap - side;
  const image = pane.lens.firstElementChild, w = f.w * LENS_TIMES, h = f.h * LENS_TIMES;
  if (pane.lensSource !== pane.img.src) { pane.lensSource = pane.img.src; image.style.backgroundImage = `url(${pane.img.src})`; }
  Object.assign(pane.lens.style, { left: `${left}px`, top: `${clamp(at.y - side / 2, 0, f.height - side)}px`, width: `${side}px`, height: `${side}px` });
  Object.assign(image.style, {
    backgroundSize: `${w}px ${h}px`, filter: pane.img.style.filter,
    backgroundPosition: `${side / 2 - (at.x - f.left) * LENS_TIMES}px ${side / 2 - (at.y - f.top) * LENS_TIMES}px`,
  });
}
function drawLenses() { panes.forEach((pane) => drawLens(pane, frameOf(pane))); }
function moveLens(pane, event, at) {
  if (!lensOn) return;
  lensAt = { pane, ...at, gap: event.pointerType === 'touch' ? LENS_GAP_TOUCH_PX : LENS_GAP_PX };
  drawLenses();
}
function leaveLens(event) {
  if (!lensOn || event.pointerType === 'touch') return;
  lensAt = null; drawLenses();
}
function toggleLens() {
  lensOn = !lensOn; lensAt = null;
  root.classList.toggle('is-magnifying', lensOn);
  pressed('lens', lensOn); drawLenses();
  say(lensOn ? 'magnifier on' : 'magnifier off');
}
