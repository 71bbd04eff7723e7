// Ruler: one line an image, its length said beside it; mm where the file tells the spacing of its
// pixels, else px of the file. Ends are whole px of what is shown of the file.
const END_PX = { mouse: 10, pen: 14, touch: 26 }, SHORTEST_PX = 4;
let ruling = false, rulerDrag = null;

function rulerLength(pane) {
  const [x0, y0, x1, y1] = pane.ruler, spacing = pane.data.spacing;
  const [down, across] = spacing || [1, 1];
  const sides = [Math.abs(x1 - x0) * across, Math.abs(y1 - y0) * down];
  const digits = spacing ? 1 : 0, said = (value) => value.toFixed(digits);
  return { length: `${said(Math.hypot(...sides))} ${spacing ? 'mm' : 'px'}`, sides: `across ${said(sides[0])}, down ${said(sides[1])}` };
}
function drawRuler(pane, f) {
  pane.rulerWords.hidden = !pane.ruler;
  if (!pane.ruler) { pane.rulerWords.textContent = ''; return; }
  const [x0, y0, x1, y1] = onPane(pane, f);
  const far = Math.hypot(x1 - x0, y1 - y0) || 1, tx = -(y1 - y0) / far * 6, ty = (x1 - x0) / far * 6;
  const path = `M${x0 + tx} ${y0 + ty}L${x0 - tx} ${y0 - ty}M${x0} ${y0}L${x1} ${y1}M${x1 + tx} ${y1 + ty}L${x1 - tx} ${y1 - ty}`;
  pane.svg.append(node('path', { d: path, class: 'ruler-under' }), node('path', { d: path, class: 'ruler-line' }));
  const { length, sides } = rulerLength(pane);
  const words = `Ruler: ${length} (${sides})`;
  if (pane.rulerWords.textContent !== words) pane.rulerWords.textContent = words;
}
function onPane(pane, f) {
  const { columns, rows } = pane.data;
  return pane.ruler.map((value, place) => (place % 2 ? f.top + value / rows * f.h : f.left + value / columns * f.w));
}
function inImage(pane, at) {
  const f = frameOf(pane), { columns, rows } = pane.data;
  return [Math.round(clamp((at.x - f.left) / f.w, 0, 1) * columns), Math.round(clamp((at.y - f.top) / f.h, 0, 1) * rows)];
}

/* ---- by pointer: a new line, or the end of one that is near ---- */
function startRuler(pane, event, at) {
  const reach = END_PX[event.pointerType] || END_PX.mouse;
  const ends = pane.ruler ? onPane(pane, frameOf(pane)) : [];
  const near = [0, 2].find((place) => ends.length && Math.hypot(ends[place] - at.x, ends[place + 1] - at.y) <= reach);
  rulerDrag = { id: event.pointerId, pane, at, before: pane.ruler, near };
}
function dragRuler(event, at) {
  if (!rulerDrag || rulerDrag.id !== event.pointerId) return false;
  const { pane, near, before } = rulerDrag;
  const now = inImage(pane, at);
  if (near === undefined) pane.ruler = [...inImage(pane, rulerDrag.at), ...now];
  else { pane.ruler = [...before]; pane.ruler.splice(near, 2, ...now); }
  rulerDrag.far = Math.hypot(at.x - rulerDrag.at.x, at.y - rulerDrag.at.y);
  draw(pane); showRuler();
  return true;
}
function endRuler(event, stays = true) {
  if (!rulerDrag || rulerDrag.id !== event.pointerId) return;
  const { pane, before, far } = rulerDrag;
  rulerDrag = null;
  if (!stays || !(far >= SHORTEST_PX)) pane.ruler = before;
  else say(`${pane.data.title}: ${rulerLength(pane).length}`);
  draw(pane); showRuler();
}

/* ---- by key: the four numbers ---- */
const ends = () => Array.from(element.querySelectorAll('[data-end]'));
function showRuler() {
  const pane = active();
  if (!ruling || !pane) return;
  const { columns, rows, spacing, kind } = pane.data;
  ends().forEach((input, place) => {
    input.max = place % 2 ? rows : columns;
    if (input !== document.activeElement) input.value = pane.ruler ? pane.ruler[place] : '';
  });
  part('ruler-length').textContent = pane.ruler ? rulerLength(pane).length : '';
  const words = props.value.words;
  part('ruler-note').textContent = spacing ? words.spacing : kind === 'query' ? words.no_spacing : words.no_spacing_there;
}
function typeRuler() {
  const pane = active(), typed = ends().map((input) => (input.value === '' ? NaN : Number(input.value)));
  if (!pane || !typed.every(Number.isFinite)) return;
  pane.ruler = typed.map((value, place) => Math.round(clamp(value, 0, place % 2 ? pane.data.rows : pane.data.columns)));
  draw(pane); showRuler();
  say(rulerLength(pane).length);
}
function setRuling(on) {
  ruling = on;
  root.classList.toggle('is-measuring', on);
  drawAll(); showRuler();
}
function clearRulers() {
  panes.forEach((pane) => { pane.ruler = null; });
  drawAll(); showRuler(); say('rulers cleared');
}
