// Window of one image, or of all that are linked, by right drag and by key. Display only. A tone is
// in shares of the image's own range as it is first shown: 0 is its black, 1 its white.
const PLAIN = { center: 0.5, width: 1 };
const NARROWEST = 0.02, WIDEST = 8;
const DOUBLE_MS = 400;
let toneDrag = null, toneFilters = 0, lastStill = -DOUBLE_MS;

function isToned(pane) {
  const { center, width } = toneOf(pane);
  return Math.abs(center - 0.5) > 1e-6 || Math.abs(width - 1) > 1e-6;
}
function toneOf(pane) {
  if (pane.data.kind !== 'query' || !win) return pane.tone;
  const base = props.value.window, share = (win.center - base.center) / base.width;
  return { center: 0.5 + (base.inverted ? -share : share), width: win.width / base.width };
}
function setTone(pane, tone) {
  const center = clamp(tone.center, -1, 2), width = clamp(tone.width, NARROWEST, WIDEST);
  if (pane.data.kind === 'query') {
    const base = props.value.window, share = base.inverted ? 0.5 - center : center - 0.5;
    setWindow(base.center + share * base.width, width * base.width, false);
  } else {
    pane.tone = { center, width };
    draw(pane);
  }
  showNote(pane);
}
function toneFilter(pane) {
  if (pane.data.kind === 'query' || !isToned(pane)) return '';
  if (!pane.toneFilter) {
    pane.toneFilter = root.querySelector('#jomed-window').cloneNode(true);
    pane.toneFilter.id = `jomed-tone-${toneFilters += 1}`;
    pane.box.append(svgHolding(pane.toneFilter));
  }
  const slope = 1 / pane.tone.width, shift = 0.5 - pane.tone.center / pane.tone.width;
  pane.toneFilter.querySelectorAll('feComponentTransfer > *').forEach((channel) => {
    channel.setAttribute('slope', slope); channel.setAttribute('intercept', shift);
  });
  return `url(#${pane.toneFilter.id})`;
}
function svgHolding(filter) {
  const holder = node('svg', { width: 0, height: 0, class: 'vh', 'aria-hidden': 'true' });
  holder.append(filter);
  return holder;
}
function tonedWith(pane) { return linked ? Array.from(panes.values()) : [pane]; }
function changeTone(pane, factor, darker) {
  tonedWith(pane).forEach((each) => {
    const { center, width } = toneOf(each);
    setTone(each, { center: center + darker * width, width: width * factor });
  });
}
function settleTone(pane) {
  if (tonedWith(pane).some((each) => each.data.kind === 'query')) renderWindow();
  say('window changed, display only');
}
function resetTones(all) {
  const chosen = all ? Array.from(panes.values()) : tonedWith(active());
  chosen.forEach((pane) => {
    pane.tone = { ...PLAIN };
    if (pane.data.kind === 'query') resetWindow(); else draw(pane);
    showNote(pane);
  });
}

/* ---- right drag: across contrast, down darker ---- */
function startTone(pane, event, at) {
  toneDrag = { id: event.pointerId, pane, at, moved: false };
  try { pane.stage.setPointerCapture(event.pointerId); } catch (error) { /* the pointer is gone already */ }
  select(pane.data.id, false);
  root.focus({ preventScroll: true });
}
function dragTone(pane, event, at) {
  if (!toneDrag || toneDrag.id !== event.pointerId || toneDrag.pane !== pane) return false;
  const dx = at.x - toneDrag.at.x, dy = at.y - toneDrag.at.y;
  if (dx || dy) changeTone(pane, Math.exp(2 * dx / pane.stage.clientWidth), dy / pane.stage.clientHeight);
  toneDrag.at = at; toneDrag.moved = true;
  return true;
}
function endTone(event) {
  if (!toneDrag || toneDrag.id !== event.pointerId) return;
  const { pane, moved } = toneDrag;
  toneDrag = null;
  if (moved) { settleTone(pane); return; }
  if (event.timeStamp - lastStill < DOUBLE_MS) toneKeys.w();
  lastStill = event.timeStamp;
}
function toneByKey(factor, darker) {
  changeTone(active(), factor, darker);
  settleTone(active());
}
const toneKeys = {
  ',': () => toneByKey(1, 0.05), '.': () => toneByKey(1, -0.05), '<': () => toneByKey(0.9, 0), '>': () => toneByKey(1 / 0.9, 0),
  w: () => { resetTones(false); say('window as it was'); },
};
