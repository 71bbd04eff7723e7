// The linked viewer. A pane's view is shared view plus its own offset, so that re-linking keeps
// an alignment made by hand. Centers are in image fractions, zoom 1 fits the image to its pane.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const root = element.querySelector('.jv');
const SVG = 'http://www.w3.org/2000/svg';
const MIN_ZOOM = 0.5, MAX_ZOOM = 24;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const still = () => ({ z: 1, x: 0, y: 0 });

let shared = { z: 1, x: 0.5, y: 0.5 };
let panes = new Map();
let token = null, selected = 'query';
let linked = true, boxesOn = true, inverted = false, threshold = 0.5;
let heatOn = false, usualOn = false, heatAsked = false, heatOpacity = 1;
const DRAWERS = ['help', 'window', 'region', 'ruler'];
let findingsHtml = null, othersHtml = null, captionHtml = null, foldedHtml = null;
let unfolded = new Set(), compared = null;
let win = null, shownWin = null, windowTurn = 0;
let drawing = false, drawn = null;
let pictures = new Map(); // a pane's image, which the server sends once

const say = (words) => { part('said').textContent = words; };

/* ---- view ---- */
function frameOf(pane, stage = pane.stage) {
  const width = stage.clientWidth, height = stage.clientHeight;
  const fit = Math.min(width / pane.data.columns, height / pane.data.rows);
  const z = shared.z * pane.off.z, x = shared.x + pane.off.x, y = shared.y + pane.off.y;
  const w = pane.data.columns * fit * z, h = pane.data.rows * fit * z;
  return { width, height, fit, z, x, y, w, h, left: width / 2 - x * w, top: height / 2 - y * h };
}
function setView(pane, z, x, y) {
  z = clamp(z, MIN_ZOOM, MAX_ZOOM); x = clamp(x, 0, 1); y = clamp(y, 0, 1);
  if (linked) shared = { z: z / pane.off.z, x: x - pane.off.x, y: y - pane.off.y };
  else pane.off = { z: z / shared.z, x: x - shared.x, y: y - shared.y };
  drawAll();
}
function zoomAt(pane, factor, px, py) {
  const f = frameOf(pane);
  const ux = (px - f.left) / f.w, uy = (py - f.top) / f.h;
  const z = clamp(f.z * factor, MIN_ZOOM, MAX_ZOOM);
  const w = f.w * z / f.z, h = f.h * z / f.z;
  setView(pane, z, ux - (px - f.width / 2) / w, uy - (py - f.height / 2) / h);
}
function panBy(pane, dx, dy) {
  const f = frameOf(pane);
  setView(pane, f.z, f.x - dx / f.w, f.y - dy / f.h);
}
function fitAll() {
  shared = { z: 1, x: 0.5, y: 0.5 };
  panes.forEach((pane) => { pane.off = still(); });
  drawAll();
}
function active() { return panes.get(selected) || panes.get('query'); }

/* ---- drawing ---- */
function node(name, attributes, words) {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  if (words !== undefined) made.textContent = words;
  return made;
}
function draw(pane, f = frameOf(pane)) {
  if (!f.width) return;
  Object.assign(pane.img.style, { left: `${f.left}px`, top: `${f.top}px`, width: `${f.w}px`, height: `${f.h}px` });
  pane.stage.style.touchAction = f.z > 1.01 ? 'none' : 'pan-x pan-y';
  pane.stage.dataset.zoom = f.z.toFixed(3);
  pane.stage.dataset.center = `${f.x.toFixed(4)},${f.y.toFixed(4)}`;
  const isQuery = pane.data.kind === 'query';
  pane.img.style.filter = [
    isQuery && win && shownWin && (win.center !== shownWin.center || win.width !== shownWin.width) ? 'url(#jomed-window)' : toneFilter(pane),
    inverted ? 'invert(1)' : '',
  ].join(' ').trim() || 'none';
  const boxes = pane.data.boxes;
  const isElsewhere = isQuery && frameShown !== null;  // a frame that was not read
  const kept = isElsewhere ? [] : (boxes || []).filter((box) => !isQuery || box.score >= threshold);
  pane.svg.replaceChildren();
  if (isQuery) drawLayers(pane, f);
  if (boxesOn) {
    kept.forEach((box, number) => {
      const x = f.left + box.x0 / pane.data.columns * f.w, y = f.top + box.y0 / pane.data.rows * f.h;
      const w = (box.x1 - box.x0) / pane.data.columns * f.w, h = (box.y1 - box.y0) / pane.data.rows * f.h;
      const kind = isQuery ? 'predicted' : 'known';
      pane.svg.append(node('rect', { x, y, width: w, height: h, class: `box-under box-${kind}` }));
      pane.svg.append(node('rect', { x, y, width: w, height: h, class: `box-line box-${kind}${isQuery ? lineOf(number) : ''}` }));
    });
  }
  if (isQuery) listBoxes(pane, boxesOn ? kept : []);
  drawRuler(pane, f); drawLens(pane, f);
  if (isQuery || pane.data.id === compared) drawOver();
  if (isQuery && drawn) pane.svg.append(node('rect', { ...onStage(pane, f, drawn), class: 'region-line' }));
  let words = '';
  const say = props.value.words;
  if (isQuery) {
    if (isElsewhere) words = frameWords();
    else if (boxes === null || boxes === undefined) words = '';
    else if (!boxes.length) words = pane.data.none;
    else if (!kept.length) words = say.below.replace('{threshold}', threshold.toFixed(2)).replace('{count}', counted(boxes.length, 'box', 'boxes'));
    else if (!boxesOn) words = say.hidden.replace('{count}', counted(kept.length, 'box', 'boxes'));
  } else if (!boxes.length) words = say.unmarked;
  if (pane.words.textContent !== words) pane.words.textContent = words;
}
// Which box is which is said below the image, by its line: no word lies over pixels.
const LINES = ['', ' is-dashed', ' is-dotted'];
function lineOf(number) { return LINES[Math.min(number, LINES.length - 1)]; }
function listBoxes(pane, kept) {
  const said = kept.map((box) => `${box.label} ${box.score.toFixed(2)}`).join('; ');
  if (pane.boxesSaid === said) return;
  pane.boxesSaid = said;
  pane.boxList.hidden = !kept.length;
  pane.boxList.replaceChildren(...kept.map((box, number) => {
    const item = document.createElement('span'), line = document.createElement('span'), words = document.createElement('span');
    line.className = `box-key${lineOf(number)}`; line.setAttribute('aria-hidden', 'true');
    words.className = 'box-words'; words.textContent = `${box.label} ${box.score.toFixed(2)}`;
    item.append(line, words);
    return item;
  }));
}
function counted(number, one, many) { return `${number} ${number === 1 ? one : many}`; }

/* ---- layers over the query: heat map and usual place ---- */
function drawLayers(pane, f) {
  const { heat, usual } = props.value;
  const showsHeat = heatOn && !!heat.image && frameShown === null;
  pane.heat.hidden = !showsHeat;
  if (showsHeat) {
    if (pane.heatSource !== heat.image) { pane.heatSource = heat.image; pane.heat.style.backgroundImage = `url(${heat.image})`; }
    Object.assign(pane.heat.style, { left: `${f.left}px`, top: `${f.top}px`, width: `${f.w}px`, height: `${f.h}px` });
  }
  if (!usualOn || frameShown !== null) return;
  usual.boxes.forEach((box) => {
    const x = f.left + box.x0 * f.w, y = f.top + box.y0 * f.h, w = (box.x1 - box.x0) * f.w, h = (box.y1 - box.y0) * f.h;
    const edges = { x, y, width: w, height: h, opacity: (0.45 + 0.5 * box.strength).toFixed(2) };
    pane.svg.append(node('rect', { ...edges, class: 'usual-under' }), node('rect', { ...edges, class: 'usual-line' }));
  });
}
function showLayers() {
  const { heat, usual } = props.value, pane = panes.get('query');
  const hasHeat = !!heat.image, showsHeat = heatOn && hasHeat;
  const heatButton = element.querySelector('[data-do="heat"]'), usualButton = element.querySelector('[data-do="usual"]');
  pressed('heat', showsHeat); pressed('usual', usualOn && usual.ready);
  heatButton.setAttribute('aria-disabled', String(!hasHeat));
  usualButton.setAttribute('aria-disabled', String(!usual.ready));
  heatButton.title = hasHeat ? 'where the model looked (key h)' : heat.words;
  usualButton.title = usual.ready ? 'where such cases usually show it (key u)' : usual.words;
  if (!pane) return;
  if (hasHeat) heatAsked = false;
  pane.heatWords.hidden = !showsHeat && !heatAsked;
  pane.heatWords.querySelector('.heat-ramp').hidden = !showsHeat;
  pane.heatWords.querySelector('input').value = heatOpacity;
  pane.heatWords.querySelector('.heat-ramp-bar').style.background = heat.ramp;
  pane.heatWords.querySelector('.heat-said').textContent = heat.words;
  pane.usualWords.hidden = !usualOn; pane.usualWords.textContent = usual.words;
  usual.boxes.filter((box) => box.label).forEach((box) => {
    const label = document.createElement('span');
    label.className = 'usual-words'; label.textContent = box.label;
    pane.usualWords.append(' ', label);
  });
}
function toggleHeat() {
  const { heat } = props.value;
  if (!heat.image) { heatOn = false; heatAsked = !heatAsked; } else heatOn = !heatOn;
  showLayers(); drawAll();
  say(heat.image && !heatOn ? 'heat map hidden' : heat.words);
}
function toggleUsual() {
  usualOn = !usualOn;
  showLayers(); drawAll();
  say(usualOn ? props.value.usual.words : 'usual place hidden');
}
function showMeaning() {
  const steps = props.value.operating || [];
  const step = steps.filter((each) => each.from <= threshold + 0.005).pop() || steps[0];
  if (!step) return;
  const words = Math.abs(step.from - threshold) <= 0.005 ? step.at : step.above;
  part('threshold-meaning').textContent = words;
  part('threshold').setAttribute('aria-valuetext', `${threshold.toFixed(2)}. ${words}`);
}
function drawAll() {
  // Sizes are asked for before anything is moved: the page is laid out once, not once a pane.
  const all = Array.from(panes.values()), frames = all.map((pane) => frameOf(pane));
  all.forEach((pane, place) => draw(pane, frames[place]));
  const pane = active();
  if (pane) part('zoom').textContent = `${Math.round(shared.z * pane.off.z * 100)} %`;
}

/* ---- panes ---- */
function makePane(data) {
  const box = document.createElement('section');
  box.className = `pane is-${data.kind}`;
  box.dataset.pane = data.id;
  box.innerHTML = '<div class="pane-head"><span class="pane-mark" aria-hidden="true">▸</span><span class="pane-title"></span><span class="pane-note"></span></div>'
    + '<div class="stage"><img alt="" draggable="false"><div class="heat" hidden></div><svg class="overlay" aria-hidden="true"></svg><div class="over" hidden></div><div class="lens" hidden><div class="lens-image"></div></div></div><div class="frame-bar" hidden></div><p class="ruler-words" hidden></p><p class="stage-words"></p>'
    + (data.kind === 'query' ? '<p class="box-list" hidden></p>' : '')
    + (data.kind === 'query' ? '<p class="layer-words is-heat" hidden><span class="heat-ramp"><label class="slider"><span>opacity</span><input type="range" min="0" max="1" step="0.05" data-part="heat-opacity"></label><span>less</span><span class="heat-ramp-bar"></span><span>more</span></span><span class="heat-said"></span></p><p class="layer-words is-usual" hidden></p>' : '')
    + '<div class="card"></div>';
  const pane = {
    box, data, off: still(), tone: { ...PLAIN }, cardHtml: null, source: null,
    stage: box.querySelector('.stage'), img: box.querySelector('img'), svg: box.querySelector('svg'),
    words: box.querySelector('.stage-words'), boxList: box.querySelector('.box-list'), card: box.querySelector('.card'),
    heat: box.querySelector('.heat'), heatSource: null, ruler: null, rulerWords: box.querySelector('.ruler-words'),
    over: box.querySelector('.over'), overSource: null, lens: box.querySelector('.lens'), lensSource: null,
    heatWords: box.querySelector('.is-heat'), usualWords: box.querySelector('.is-usual'),
  };
  attachPointers(pane);
  sizes.observe(pane.stage);
  return pane;
}
function showNote(pane) {
  const over = pane.data.kind === 'query' ? overNow() : 0;
  const said = [over ? `${over <= 0.5 ? 'other patient over it: ' : ''}${Math.round(over * 100)} %` : '', isToned(pane) ? 'window changed' : '', pane.data.simulated ? 'simulated' : '', pane.data.note || ''];
  pane.box.querySelector('.pane-note').textContent = said.filter(Boolean).join(' · ');
}
function fillPane(pane, data) {
  pane.data = data;
  pane.box.setAttribute('aria-label', `Image of ${data.title}`);
  pane.box.classList.toggle('is-removed', !!data.removed);
  pane.box.classList.toggle('is-counter', !!data.counter || data.kind === 'counter');
  if (data.kind === 'query') part('panes').style.setProperty('--ratio', (data.columns / data.rows).toFixed(4));
  if (!pane.box.classList.contains('is-over')) pane.box.querySelector('.pane-title').textContent = data.title;
  showNote(pane);
  if (pane.source !== data.image) { pane.source = data.image; pane.img.src = data.image; }
  pane.img.alt = `image of ${data.title}`;
  if (pane.cardHtml !== data.card) {
    const open = Array.from(pane.card.querySelectorAll('details[open]'), (d) => d.dataset.key);
    pane.card.innerHTML = data.card;
    pane.card.querySelectorAll('details').forEach((d) => { d.open = open.includes(d.dataset.key); });
    pane.cardHtml = data.card;
  }
}
const sizes = new ResizeObserver((entries) => {
  entries.forEach((entry) => panes.forEach((pane) => { if (pane.stage === entry.target) draw(pane); }));
});

/* ---- pointers ---- */
function attachPointers(pane) {
  const stage = pane.stage, touches = new Map();
  let drawFrom = null;
  const spot = (event) => {
    const area = stage.getBoundingClientRect();
    return { x: event.clientX - area.left, y: event.clientY - area.top };
  };
  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    const at = spot(event);
    zoomAt(pane, Math.exp(-clamp(event.deltaY, -200, 200) * 0.002), at.x, at.y);
  }, { passive: false });
  stage.addEventListener('contextmenu', (event) => event.preventDefault());
  stage.addEventListener('pointerdown', (event) => {
    if (event.button === 2) startTone(pane, event, spot(event));
    if (event.button !== 0) return;
    touches.set(event.pointerId, spot(event));
    drawFrom = spot(event);
    try { stage.setPointerCapture(event.pointerId); } catch (error) { /* the pointer is gone already */ }
    select(pane.data.id, false);
    if (ruling && touches.size === 1) startRuler(pane, event, spot(event));
    else if (rulerDrag) endRuler({ pointerId: rulerDrag.id }, false);  // a second finger: a pinch
    root.focus({ preventScroll: true });
  });
  stage.addEventListener('pointermove', (event) => {
    moveLens(pane, event, spot(event));
    if (dragTone(pane, event, spot(event))) return;
    const before = touches.get(event.pointerId);
    if (!before) return;
    const now = spot(event);
    if (drawing && pane.data.kind === 'query') { drawRegion(pane, drawFrom, now); return; }
    if (touches.size === 1 && (dragRuler(event, now) || ruling || (lensOn && event.pointerType === 'touch'))) { touches.set(event.pointerId, now); return; }
    if (touches.size === 1) {
      if (event.pointerType === 'mouse' || frameOf(pane).z > 1.01) panBy(pane, now.x - before.x, now.y - before.y);
    } else {
      const other = Array.from(touches.entries()).find(([id]) => id !== event.pointerId)[1];
      const far = (a, b) => Math.max(8, Math.hypot(a.x - b.x, a.y - b.y));
      const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      panBy(pane, (now.x - before.x) / 2, (now.y - before.y) / 2);
      zoomAt(pane, far(now, other) / far(before, other), middle.x, middle.y);
    }
    touches.set(event.pointerId, now);
  });
  const end = (event) => { touches.delete(event.pointerId); endTone(event); endRuler(event); };
  stage.addEventListener('pointerleave', leaveLens);
  stage.addEventListener('pointerup', end);
  stage.addEventListener('pointercancel', end);
  stage.addEventListener('dblclick', () => { if (!drawing && !ruling) fitAll(); });
}

/* ---- region: the part of the picture that is read, px of the file ---- */
const corners = () => Array.from(element.querySelectorAll('[data-corner]'));
function onStage(pane, f, [x0, y0, x1, y1]) {
  const [left, top] = props.value.region.corners, unit = f.w / pane.data.columns;
  return { x: f.left + (x0 - left) * unit, y: f.top + (y0 - top) * unit, width: Math.max(0, x1 - x0) * unit, height: Math.max(0, y1 - y0) * unit };
}
function inFile(pane, spot) {
  const f = frameOf(pane), [left, top, right, bottom] = props.value.region.corners;
  const x = left + (spot.x - f.left) / f.w * pane.data.columns, y = top + (spot.y - f.top) / f.h * pane.data.rows;
  return [Math.round(clamp(x, left, right)), Math.round(clamp(y, top, bottom))];
}
function drawRegion(pane, from, to) {
  const [ax, ay] = inFile(pane, from), [bx, by] = inFile(pane, to);
  drawn = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
  corners().forEach((input, place) => { input.value = drawn[place]; });
  draw(pane);
}
function setDrawing(on) {
  drawing = on; pressed('draw', on);
  const pane = panes.get('query');
  if (pane) pane.stage.classList.toggle('is-drawing', on);
}
function showRegion() {
  const { region } = props.value;
  part('region-words').textContent = region.words;
  corners().forEach((input, place) => { input.value = region.corners[place]; input.max = place % 2 ? region.rows : region.columns; });
  element.querySelectorAll('[data-region]').forEach((button) => {
    button.hidden = button.dataset.region === 'found' && !region.found;
    button.setAttribute('aria-pressed', String(button.dataset.region === region.wish));
  });
}
function readRegion(region) {
  if (region !== props.value.region.wish) trigger('case_region', { region });
}

/* ---- window ---- */
function showWindow() {
  if (!win) return;
  part('center').value = win.center; part('width').value = win.width;
  const digits = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));
  part('center-value').textContent = digits(win.center);
  part('width-value').textContent = digits(win.width);
  part('presets').querySelectorAll('button').forEach((button, number) => {
    const preset = props.value.window.presets[number];
    button.setAttribute('aria-pressed', String(preset.center === win.center && preset.width === win.width));
  });
  let slope = shownWin.width / win.width;
  let shift = (shownWin.center - shownWin.width / 2 - win.center + win.width / 2) / win.width;
  if (props.value.window.inverted) shift = 1 - slope - shift;
  element.querySelectorAll('#jomed-window feComponentTransfer > *').forEach((channel) => {
    channel.setAttribute('slope', slope); channel.setAttribute('intercept', shift);
  });
  if (panes.get('query')) { draw(panes.get('query')); showNote(panes.get('query')); }
}
async function renderWindow() {
  if (frameShown !== null) return;  // by the filter alone
  const turn = ++windowTurn, wanted = { ...win };
  const pane = panes.get('query');
  if (!pane) return;
  const url = await server.window_query({ case: token, center: wanted.center, width: wanted.width });
  if (turn !== windowTurn || !url) return;
  pane.img.src = url;
  await pane.img.decode().catch(() => {});
  if (turn !== windowTurn) return;
  shownWin = wanted; showWindow();
}
function setWindow(center, width, exact) {
  win = { center, width }; showWindow();
  if (exact) renderWindow();
}
function resetWindow() {
  const settings = props.value.window;
  const pane = panes.get('query');
  if (!settings || !pane) return;
  windowTurn += 1;
  win = { center: settings.center, width: settings.width }; shownWin = { ...win };
  if (frameShown === null) pane.img.src = pane.source;
  showWindow();
}

/* ---- commands ---- */
function pressed(name, on) { element.querySelector(`[data-do="${name}"]`).setAttribute('aria-pressed', String(on)); }
function setThreshold(value) {
  threshold = clamp(Math.round(value * 100) / 100, 0, 1);
  part('threshold').value = threshold; part('threshold-value').textContent = threshold.toFixed(2);
  showMeaning(); drawAll();
}
function select(id, scroll = true) {
  selected = id;
  panes.forEach((pane, key) => {
    pane.box.classList.toggle('is-selected', key === id);
    if (key === id) pane.box.setAttribute('aria-current', 'true'); else pane.box.removeAttribute('aria-current');
    if (key === id && scroll) pane.box.scrollIntoView({ block: 'nearest', inline: 'center', behavior: 'auto' });
  });
  const pane = active();
  if (pane) part('zoom').textContent = `${Math.round(frameOf(pane).z * 100)} %`;
  showRuler();
}
function step(by) {
  const ids = Array.from(panes.keys());
  if (!ids.length) return;
  select(ids[(ids.indexOf(selected) + by + ids.length) % ids.length]);
  say(`${panes.get(selected).box.getAttribute('aria-label')} selected`);
}
function toFrame(number) {
  const value = props.value;
  if (number >= 0 && number < value.frames && number !== value.frame) trigger('case_frame', { frame: number });
}
function showDrawer(name, on) {
  const box = part(name), button = element.querySelector(`[data-do="${name}"]`);
  const heldFocus = box.contains(document.activeElement);
  box.hidden = !on; button.setAttribute('aria-expanded', String(on));
  if (name === 'region' && !on) setDrawing(false);
  if (name === 'ruler' && on !== ruling) setRuling(on);
  if (!on && heldFocus) button.focus();
}
const commands = {
  in: () => { const p = active(); if (p) zoomAt(p, 1.25, p.stage.clientWidth / 2, p.stage.clientHeight / 2); },
  out: () => { const p = active(); if (p) zoomAt(p, 0.8, p.stage.clientWidth / 2, p.stage.clientHeight / 2); },
  fit: fitAll,
  one: () => { const p = active(); if (p) { const f = frameOf(p); setView(p, 1 / f.fit, f.x, f.y); } },
  link: () => { linked = !linked; pressed('link', linked); say(linked ? 'zoom linked' : 'zoom not linked'); },
  boxes: () => { boxesOn = !boxesOn; pressed('boxes', boxesOn); drawAll(); say(boxesOn ? 'boxes shown' : 'boxes hidden'); },
  heat: toggleHeat,
  usual: toggleUsual,
  invert: () => { inverted = !inverted; pressed('invert', inverted); drawAll(); say(inverted ? 'inverted' : 'not inverted'); },
  help: () => showDrawer('help', part('help').hidden),
  window: () => showDrawer('window', part('window').hidden),
  region: () => showDrawer('region', part('region').hidden),
  ruler: () => showDrawer('ruler', !ruling),
  'clear-ruler': clearRulers,
  lens: toggleLens,
  play: () => (playing ? pause() : play()),
  'read-frame': () => toFrame(frameNow()),
  flicker: () => flick(),
  draw: () => { setDrawing(!drawing); say(drawing ? 'drag a rectangle on your image' : 'not drawing'); },
  'read-region': () => readRegion(corners().map((input) => Math.round(Number(input.value)))),
  'frame-back': () => toFrame(props.value.frame - 1),
  'frame-next': () => toFrame(props.value.frame + 1),
};
const keys = {
  '+': commands.in, '-': commands.out, '=': commands.fit, i: commands.invert, b: commands.boxes, l: commands.link, h: commands.heat, c: () => compare(compared || selected), u: commands.usual, r: commands.region, m: commands.ruler, z: commands.lens,
  t: () => { const button = document.querySelector('[data-action="copy-report"]'); if (button) button.click(); say(button ? 'report text copied' : 'no report text yet'); },
  p: commands.play, PageUp: () => stepFrame(-1), PageDown: () => stepFrame(1),
  ' ': () => { fitAll(); if (inverted) commands.invert(); resetTones(true); say('view reset'); },
  '[': () => { setThreshold(threshold - 0.05); say(part('threshold').getAttribute('aria-valuetext')); },
  ']': () => { setThreshold(threshold + 0.05); say(part('threshold').getAttribute('aria-valuetext')); },
  ArrowLeft: () => step(-1), ArrowRight: () => step(1), '?': commands.help,
  ...toneKeys,
};
const PAN_PX = 40;
const pans = { ArrowLeft: [PAN_PX, 0], ArrowRight: [-PAN_PX, 0], ArrowUp: [0, PAN_PX], ArrowDown: [0, -PAN_PX] };
root.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || (!panes.size && event.key !== '?')) return;
  const tag = event.target.tagName;
  const isArrow = event.key.startsWith('Arrow');
  if (tag === 'SELECT') return;
  if (tag === 'INPUT' && (isArrow || event.target.type === 'number')) return;
  if (isArrow && event.shiftKey) { panBy(active(), ...pans[event.key]); event.preventDefault(); return; }
  if (event.key === ' ' && (tag === 'BUTTON' || tag === 'SUMMARY')) return;
  if (/^[1-5]$/.test(event.key)) {
    const preset = props.value.window && props.value.window.presets[Number(event.key) - 1];
    if (preset) { setWindow(preset.center, preset.width, true); say(`window ${preset.name}`); event.preventDefault(); }
    return;
  }
  if (event.key === 'f') { flick(event); event.preventDefault(); return; }
  if (event.key.startsWith('Page') && !(props.value.frames > 1)) return;
  const command = keys[event.key];
  if (command) { command(); event.preventDefault(); }
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  DRAWERS.forEach((name) => { if (!part(name).hidden) showDrawer(name, false); });
  if (compared !== null) compare(compared);
  root.classList.add('is-quiet');
});
root.addEventListener('pointermove', () => root.classList.remove('is-quiet'));
root.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.do && commands[button.dataset.do]) commands[button.dataset.do]();
  else if (button.dataset.search) {
    const isIdle = button.getAttribute('aria-disabled') !== 'true';
    if (isIdle && button.getAttribute('aria-pressed') !== 'true') trigger('case_search', { retrieval: button.dataset.search });
  } else if (button.dataset.region) readRegion(button.dataset.region);
  else if (button.dataset.preset !== undefined) {
    const preset = props.value.window.presets[Number(button.dataset.preset)];
    setWindow(preset.center, preset.width, true);
  } else if (button.dataset.unfold) toggleFolded(button.dataset.unfold);
  else if (button.dataset.action === 'compare') compare(button.dataset.id);
  else if (button.dataset.action === 'remove') trigger('case_remove', { id: button.dataset.id });
  else if (button.dataset.action === 'restore') trigger('case_restore', { id: button.dataset.id });
});
root.addEventListener('input', (event) => {
  root.classList.remove('is-quiet');
  if (event.target.dataset.corner) { drawn = corners().map((input) => Number(input.value)); if (panes.get('query')) draw(panes.get('query')); }
  if (event.target.dataset.end) typeRuler();
  const name = event.target.dataset.part;
  if (name === 'scrub') { playing = false; goToFrame(Number(event.target.value) - 1); }
  if (name === 'rate') playRate = Number(event.target.value);
  if (name === 'over') setBlend(Number(event.target.value));
  if (name === 'heat-opacity') { heatOpacity = Number(event.target.value); drawOver(); }
  if (name === 'threshold') setThreshold(Number(event.target.value));
  else if (name === 'center' || name === 'width') setWindow(Number(part('center').value), Number(part('width').value), false);
});
root.addEventListener('change', (event) => {
  const name = event.target.dataset.part;
  if (name === 'center' || name === 'width') renderWindow();
  else if (name === 'frame') toFrame(Number(event.target.value) - 1);
});

/* ---- search ---- */
function showSearch(search) {
  part('search').hidden = !search;
  if (!search) return;
  const options = part('search-options');
  if (options.children.length !== search.options.length) {
    options.replaceChildren(...search.options.map((option) => {
      const button = document.createElement('button');
      button.type = 'button'; button.className = 'btn is-toggle';
      button.dataset.search = option.id; button.textContent = option.title;
      return button;
    }));
  }
  options.querySelectorAll('button').forEach((button) => {
    button.setAttribute('aria-pressed', String(button.dataset.search === search.chosen));
    button.setAttribute('aria-disabled', String(search.busy));
  });
  part('search-meaning').textContent = search.meaning;
  if (part('search-change').innerHTML !== search.change) part('search-change').innerHTML = search.change;
}

/* ---- cases without a pane ---- */
function showFolded(html) {
  if (foldedHtml !== html) {
    const old = part('folded').querySelector('details'), open = !!old && old.open;
    foldedHtml = html; part('folded').innerHTML = html;
    const anew = part('folded').querySelector('details');
    if (anew) anew.open = open;
  }
  part('folded').querySelectorAll('[data-unfold]').forEach((button) => {
    const on = unfolded.has(button.dataset.unfold);
    button.setAttribute('aria-pressed', String(on)); button.textContent = on ? 'Hide image' : 'Show image';
  });
}
function toggleFolded(id) {
  const shows = !unfolded.delete(id);
  if (shows) unfolded.add(id);
  refresh();
  if (shows) select(id);
}

/* ---- one case beside the patient, both large ---- */
function showCompared() {
  root.classList.toggle('is-comparing', compared !== null);
  root.querySelectorAll('[data-action="compare"]').forEach((button) => {
    const on = button.dataset.id === compared;
    button.setAttribute('aria-pressed', String(on)); button.textContent = on ? 'Close' : 'Compare';
  });
  showOver();
}
function compare(id) {
  const had = compared, pane = panes.get(id);
  compared = id === compared || !pane || pane.data.kind === 'query' ? null : id;
  if (had === compared) return;
  blend = 0; flicked = false;
  const held = document.activeElement;
  refresh();
  if (compared) { select(compared, false); part('query-holder').scrollIntoView({ block: 'nearest' }); }
  // A pane that moves takes the focus from what is in it.
  if (document.activeElement !== held && held.isConnected) held.focus({ preventScroll: true });
  say(compared ? `${pane.data.title} beside your image` : 'comparison closed');
}

/* ---- value ---- */
function newCase(value) {
  forgetFrames();
  unfolded = new Set(); compared = null; blend = 0; flicked = false; lensAt = null; rulerDrag = null;
  token = value.case; selected = 'query'; inverted = false; heatOn = false; usualOn = false; heatAsked = false;
  root.dataset.case = token; // the menu "Save" asks for the case that is shown
  pressed('invert', false);
  shared = { z: 1, x: 0.5, y: 0.5 };
  panes.forEach((pane) => { sizes.unobserve(pane.stage); pane.box.remove(); });
  panes = new Map(); pictures = new Map(); win = null; shownWin = null; windowTurn += 1;
  drawn = null; setDrawing(false);
  if (!value.panes.length) return;
  showRegion();
  setThreshold(value.threshold);
  const settings = value.window;
  const center = part('center'), width = part('width');
  Object.assign(center, { min: settings.low, max: settings.high, step: settings.step });
  Object.assign(width, { min: settings.step, max: settings.widest, step: settings.step });
  part('window-note').textContent = value.words.window;
  part('presets').replaceChildren(...settings.presets.map((preset, number) => {
    const button = document.createElement('button');
    button.type = 'button'; button.className = 'btn is-toggle'; button.dataset.preset = number;
    button.textContent = preset.name; button.title = `key ${number + 1}`;
    return button;
  }));
  win = { center: settings.center, width: settings.width }; shownWin = { ...win };
  part('frames').hidden = value.frames < 2;
  part('frame').max = value.frames; part('frame').value = value.frame + 1;
  part('frame-count').textContent = `/ ${value.frames}`;
}
function refresh() {
  const value = props.value || { case: '', panes: [] };
  if (value.case !== token) newCase(value);
  value.panes.forEach((data) => { if (data.image) pictures.set(data.id, data.image); else data.image = pictures.get(data.id) || ''; });
  const isEmpty = !value.panes.length;
  part('tools').hidden = isEmpty; part('empty').hidden = !isEmpty; part('panes').hidden = isEmpty;
  if (isEmpty) {
    showSearch(null);
    DRAWERS.forEach((name) => showDrawer(name, false));
    element.querySelector('.jv-empty-title').textContent = value.title || '';
    element.querySelector('.jv-empty-text').textContent = value.text || '';
    return;
  }
  showSearch(value.search);
  const shown = value.panes.filter((data) => !data.folded || unfolded.has(data.id));
  const wanted = new Set(shown.map((pane) => pane.id));
  panes.forEach((pane, id) => { if (!wanted.has(id)) { sizes.unobserve(pane.stage); pane.box.remove(); panes.delete(id); } });
  if (!wanted.has(compared)) compared = null;
  let place = -1;
  shown.forEach((data) => {
    const isQuery = data.kind === 'query', isAlone = isQuery || data.id === compared;
    const holder = part(isQuery ? 'query-holder' : isAlone ? 'compared' : 'cases');
    if (!isAlone) place += 1;
    let pane = panes.get(data.id);
    if (!pane) { pane = makePane(data); panes.set(data.id, pane); }
    fillPane(pane, data);
    const at = isAlone ? 0 : place;
    if (holder.children[at] !== pane.box) holder.insertBefore(pane.box, holder.children[at] || null);
  });
  panes = new Map(shown.map((data) => [data.id, panes.get(data.id)]));
  if (findingsHtml !== value.findings) { findingsHtml = value.findings; part('findings').innerHTML = findingsHtml; }
  if (captionHtml !== value.caption) { captionHtml = value.caption; part('caption').innerHTML = captionHtml; }
  if (othersHtml !== value.others) { othersHtml = value.others; part('others').innerHTML = othersHtml; }
  showFolded(value.folded);
  part('cases').dataset.cases = place + 1;
  showCompared(); makeFrameBar(panes.get('query'));
  showLayers(); showMeaning(); showWindow(); select(panes.has(selected) ? selected : 'query', false); drawAll();
}
