// Frames of the patient's file: a slider, and a loop that plays. They are fetched when they are
// wanted and forgotten with the case. The answer rests on the one frame that was read, and says so.
const MOST_PLAYED = 150, AT_ONCE = 8, RATES = [5, 10, 20, 30], EXACT_AFTER_MS = 200;
const lessMotion = window.matchMedia('(prefers-reduced-motion: reduce)');
let frameShown = null, frameUrls = new Map(), frameTurn = 0;
let playing = false, playRate = 10, playedAt = 0, fetching = false;

const frameNow = () => (frameShown === null ? props.value.frame : frameShown);
function played() {
  const every = Math.ceil(props.value.frames / MOST_PLAYED);
  return Array.from({ length: Math.ceil(props.value.frames / every) }, (_, place) => place * every);
}
function makeFrameBar(pane) {
  const bar = pane.box.querySelector('.frame-bar'), { frames, frame, words } = props.value;
  bar.hidden = frames < 2;
  if (frames < 2 || bar.children.length) return;
  bar.innerHTML = '<button type="button" class="btn btn-icon" data-do="play" aria-pressed="false" aria-keyshortcuts="p" aria-label="Play"></button>'
    + '<span class="scrub"><input type="range" min="1" step="1" data-part="scrub" aria-label="frame that is shown"><span class="scrub-mark" aria-hidden="true"></span></span>'
    + '<output class="num" data-part="scrub-value"></output>'
    + '<label class="slider"><span class="vh">frames a second</span><select data-part="rate"></select></label>'
    + '<button type="button" class="btn" data-do="read-frame" hidden>Read this frame</button>';
  part('scrub').max = frames;
  bar.querySelector('.scrub-mark').style.left = `${100 * frame / Math.max(1, frames - 1)}%`;
  part('rate').replaceChildren(...RATES.map((rate) => new Option(`${rate} a second`, rate, rate === playRate, rate === playRate)));
  if (lessMotion.matches) { const play = bar.querySelector('[data-do="play"]'); play.setAttribute('aria-disabled', 'true'); play.title = words.less_motion; }
  showFrameBar();
}
function showFrameBar() {
  if (!part('scrub')) return;
  const now = frameNow(), play = element.querySelector('[data-do="play"]');
  part('scrub').value = now + 1;
  part('scrub').setAttribute('aria-valuetext', `frame ${now + 1} of ${props.value.frames}${frameShown === null ? ', the one that was read' : ''}`);
  part('scrub-value').textContent = `${now + 1} / ${props.value.frames}`;
  element.querySelector('[data-do="read-frame"]').hidden = frameShown === null;
  play.setAttribute('aria-label', playing ? 'Pause' : 'Play'); pressed('play', playing);
  play.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${playing ? 'M5 3v10M11 3v10' : 'M4 3 13 8 4 13Z'}"/></svg>`;
}
function frameWords() {
  return props.value.words.frame.replace('{shown}', frameShown + 1).replace('{read}', props.value.frame + 1);
}

/* ---- one frame ---- */
function showFrame(number, url) {
  const pane = panes.get('query'), isRead = number === props.value.frame;
  if (!pane) return;
  pane.rulers = pane.rulers || new Map();
  if (number !== frameNow()) {
    pane.rulers.set(frameNow(), pane.ruler); pane.ruler = pane.rulers.get(number) || null;
  }
  const wasElsewhere = frameShown !== null;
  frameShown = isRead ? null : number;
  if (!isRead) {
    windowTurn += 1;  // no window of the frame that was read comes in its place
    const { center, width } = props.value.window;
    shownWin = { center, width };
    if (url) pane.img.src = url;
    showWindow();
  } else if (wasElsewhere) {
    const { center, width } = props.value.window;
    pane.img.src = pane.source; shownWin = { center, width }; showWindow();
    if (win.center !== center || win.width !== width) renderWindow();
  }
  showFrameBar(); showRuler(); draw(pane);
}
async function goToFrame(number) {
  const value = props.value, turn = ++frameTurn, of = token;
  number = clamp(Math.round(number), 0, value.frames - 1);
  showFrame(number, frameUrls.get(number));
  if (number === value.frame) return;
  await new Promise((resolve) => { setTimeout(resolve, frameUrls.has(number) ? EXACT_AFTER_MS : 0); });
  if (turn !== frameTurn) return;
  const urls = await server.frames_query({ case: of, frames: [number] });
  if (turn !== frameTurn || of !== token) return;
  if (urls) showFrame(number, urls[0]); else { showFrame(value.frame); say(value.words.frame_gone); }
}

/* ---- the loop ---- */
async function fetchAhead() {
  if (fetching) return;
  fetching = true;
  const of = token;
  while (playing && of === token) {
    const all = played(), from = Math.max(0, all.findIndex((each) => each >= frameNow()));
    const missing = [...all.slice(from), ...all.slice(0, from)].filter((each) => !frameUrls.has(each));
    if (!missing.length) break;
    const wanted = missing.slice(0, AT_ONCE);
    if (wanted.length === 1) wanted.push(all[(all.indexOf(wanted[0]) + 1) % all.length]);  // one alone would come lossless
    const urls = await server.frames_query({ case: of, frames: wanted });
    if (of !== token) break;
    if (!urls) { pause(); say(props.value.words.frame_gone); break; }
    wanted.forEach((each, place) => frameUrls.set(each, urls[place]));
  }
  fetching = false;
}
function tick(now) {
  if (!playing) return;
  if (document.hidden || !root.isConnected || !root.getClientRects().length) { pause(); return; }
  if (now - playedAt >= 1000 / playRate) {
    const all = played(), next = all[(all.findIndex((each) => each >= frameNow()) + 1) % all.length];
    if (frameUrls.has(next)) { playedAt = now; showFrame(next, frameUrls.get(next)); }
  }
  requestAnimationFrame(tick);
}
function play() {
  if (props.value.frames < 2 || playing) return;
  if (lessMotion.matches) { say(props.value.words.less_motion); return; }
  playing = true; frameTurn += 1; playedAt = 0;
  const all = played();
  say(all.length < props.value.frames ? `playing every ${all[1]}th frame` : 'playing');
  showFrameBar(); fetchAhead(); requestAnimationFrame(tick);
}
function pause() {
  if (!playing) return;
  playing = false;
  goToFrame(frameNow());
  say(`frame ${frameNow() + 1} of ${props.value.frames}`);
}
function stepFrame(by) {
  if (props.value.frames < 2) return;
  playing = false;
  goToFrame(frameNow() + by);
}
function forgetFrames() { playing = false; frameShown = null; frameUrls = new Map(); frameTurn += 1; }
document.addEventListener('visibilitychange', () => { if (document.hidden) pause(); });
window.addEventListener('pagehide', pause);
