// The list of opened images. Files and their names stay in this browser; one at a time is sent and read behind the
// image that is shown. What the server holds of each comes as `props.value`.
const LIMIT = @limit_mb * 1024 * 1024;
const MOST = @most_rows;
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const menu = element.querySelector('details');
const MARKS = { done: '✓', again: '↻' };
const SAID = { waiting: 'waits', sending: 'being read', reading: 'being read' };
const entries = new Map();  // number -> {row, file, state}; state is 'waiting' until it is sent
let next = 1, key = '', behind = null, paused = false, cursor = null, sending = Promise.resolve(), known = new Map();

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('') + '.bin';
}

// Not Gradio's own upload: that one shows a refusal as raw JSON in a corner of the page.
async function deliver(file) {
  if (file.size > LIMIT || file.size === 0) return {};
  try {
    const form = new FormData();
    form.append('files', new Blob([file], { type: 'application/octet-stream' }), randomName());
    const answer = await fetch('gradio_api/upload', { method: 'POST', body: form });
    const later = answer.status === 429 ? Number(answer.headers.get('Retry-After')) || 5 : 0;
    const said = await answer.json();
    return answer.ok ? { path: said[0] } : { said: said.detail, later };
  } catch (error) {
    return {};
  }
}

function open(entry) {  // to be shown now
  entry.state = 'sent'; cursor = entry.row;
  sending = sending.then(async () => {
    const sent = await deliver(entry.file);
    if (!entries.has(entry.row)) return;
    if (sent.path) trigger('case_file', { path: sent.path, row: entry.row });
    else trigger('case_refused', { said: sent.said, row: entry.row });
  });
  return sending;
}

async function readNext() {  // behind what is shown
  if (paused || behind !== null) return;
  const entry = Array.from(entries.values()).find((each) => each.state === 'waiting');
  if (!entry) return;
  behind = entry.row; entry.state = 'sending';
  draw();
  const sent = await deliver(entry.file);
  if (!entries.has(entry.row)) { behind = null; return; }
  if (sent.later) {  // more than one visitor may ask for in a minute
    behind = null; entry.state = 'waiting';
    setTimeout(readNext, 1000 * sent.later);
    return;
  }
  if (sent.path) trigger('list_file', { path: sent.path, row: entry.row });
  else trigger('list_refused', { said: sent.said, row: entry.row });
}

async function take(files) {
  const room = MOST - next + 1;
  const taken = files.slice(0, Math.max(0, room)).map((file) => {
    const entry = { row: next, file, state: 'waiting' };
    entries.set(next, entry); next += 1;
    return entry;
  });
  if (taken.length < files.length) part('list-said').textContent = `A list holds ${MOST} images at most; ${files.length - taken.length} were left out.`;
  if (!taken.length) return;
  await open(taken[0]);
  draw(); readNext();
}
document.addEventListener('jomed-files', (event) => take(event.detail));

const rowsOf = () => new Map(((props.value && props.value.rows) || []).map((row) => [row.row, row]));
// The row that is shown: of the open image, or one whose sentence says why there is none.
function current() {
  const value = props.value || {}, row = rowsOf().get(cursor);
  if (value.current) return value.current;
  return row && row.state === 'refused' ? cursor : null;
}
function stateOf(entry, rows) {
  const row = rows.get(entry.row);
  if (row && row.state !== 'waiting') return row.state;
  return entry.state === 'sent' && row ? row.state : entry.state;
}

function show(number, anew) {
  const entry = entries.get(number), row = rowsOf().get(number);
  if (!entry) return;
  cursor = number;
  if (row && (row.held || (row.state === 'refused' && !anew))) trigger('list_show', { row: number });
  else if (behind !== number) open(entry);  // not sent yet, or not held any more: its file is still here
}

function step(by) {
  const numbers = Array.from(entries.keys()), at = numbers.indexOf(current() || cursor);
  const to = Math.min(numbers.length - 1, Math.max(0, at + by));
  if (numbers[to] !== current()) show(numbers[to]);
}

function mark(name) {
  if (current() !== null) trigger('list_mark', { row: current(), mark: name });
}

const made = (tag, words, kind) => {
  const node = document.createElement(tag);
  if (words !== undefined) node.textContent = words;
  if (kind) node.className = kind;
  return node;
};

function draw() {
  const rows = rowsOf(), numbers = Array.from(entries.keys()), at = numbers.indexOf(current());
  element.querySelector('.wl').hidden = numbers.length < 2;
  if (numbers.length < 2) { part('rows').replaceChildren(); return; }
  part('place').textContent = `${at < 0 ? '–' : at + 1}/${numbers.length}`;
  const mine = rows.get(current());
  Object.keys(MARKS).forEach((name) => {
    const button = element.querySelector(`[data-list="${name}"]`);
    button.disabled = !mine;
    button.setAttribute('aria-pressed', String(!!mine && mine.mark === name));
  });
  element.querySelector('[data-list="previous"]').disabled = at === 0;
  element.querySelector('[data-list="next"]').disabled = at === numbers.length - 1;
  const states = Array.from(entries.values(), (entry) => stateOf(entry, rows));
  const left = states.filter((state) => ['waiting', 'sending', 'reading'].includes(state)).length;
  const refused = states.filter((state) => ['refused', 'stopped'].includes(state)).length;
  part('progress').textContent = left ? `${numbers.length - left} of ${numbers.length} done${paused ? '; paused' : ''}` : `All ${numbers.length} done${refused ? `, ${refused} not read` : ''}.`;
  const pause = element.querySelector('[data-list="pause"]');
  pause.hidden = !left; pause.textContent = paused ? 'Go on' : 'Pause';
  if (!menu.open) { part('rows').replaceChildren(); return; }  // names are on the page while the list is open, no longer
  const items = Array.from(entries.values(), (entry, place) => {
    const row = rows.get(entry.row), item = document.createElement('li'), button = made('button', undefined, 'wl-row');
    button.type = 'button'; button.dataset.row = String(entry.row);
    if (entry.row === current()) button.setAttribute('aria-current', 'true');
    button.append(made('span', String(entry.row), 'wl-number num'), made('span', entry.file.name, 'wl-name'));
    button.append(made('span', row && row.mark ? MARKS[row.mark] : '', 'wl-mark'), made('span', (row && row.words) || SAID[states[place]] || 'not read', 'wl-words'));
    if (states[place] === 'refused' || states[place] === 'stopped') button.classList.add('is-refused');
    item.append(button);
    return item;
  });
  const held = part('rows').contains(document.activeElement) ? document.activeElement.dataset.row : null;
  part('rows').replaceChildren(...items);
  if (held) { const same = part('rows').querySelector(`[data-row="${held}"]`); if (same) same.focus({ preventScroll: true }); }
}

function refresh() {
  const value = props.value || {}, rows = rowsOf();
  if (key && value.key !== key) {  // purged, or its time ran out
    entries.clear(); next = 1; behind = null; paused = false; cursor = null;
  }
  key = value.key || '';
  const row = behind === null ? null : rows.get(behind);
  if (row && ['read', 'refused', 'stopped', 'left'].includes(row.state)) {
    entries.get(behind).state = 'sent';
    const wasShown = behind === value.current && known.get(behind) !== row.state;
    behind = null;
    if (wasShown) trigger('list_show', { row: row.row });
    readNext();
  }
  known = new Map(Array.from(rows.values(), (each) => [each.row, each.state]));
  draw();
}

async function table() {
  let file = null;
  try { file = await server.save_list({ key }); } catch (error) { file = null; }
  if (!file || !file.data) { part('progress').textContent = (file && file.error) || 'Not saved: the server did not answer.'; return; }
  const bytes = Uint8Array.from(atob(file.data), (sign) => sign.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  const link = document.createElement('a');
  link.href = url; link.download = file.name; link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const commands = {
  previous: () => step(-1), next: () => step(1), done: () => mark('done'), again: () => mark('again'), table,
  pause: () => { paused = !paused; if (!paused) { behind = null; entries.forEach((each) => { if (each.state === 'sending') each.state = 'waiting'; }); readNext(); } draw(); },
};
menu.addEventListener('toggle', () => { draw(); if (menu.open) trigger('list_look'); });
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.row) show(Number(button.dataset.row), true);
  else if (commands[button.dataset.list]) commands[button.dataset.list]();
});
const KEYS = { n: commands.next, p: commands.previous, d: commands.done, a: commands.again };
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || entries.size < 2 || !KEYS[event.key]) return;
  if (!event.target.closest || !event.target.closest('.jv, .wl') || event.target.matches('input:not([type=range]), select, textarea')) return;
  KEYS[event.key](); event.preventDefault();
});
watch('value', refresh);
refresh();
