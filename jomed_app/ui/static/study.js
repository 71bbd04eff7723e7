// Own read first: the form and the bar of the steps, the switch, and the reader's own log, which this browser keeps.
const LOG = 'jomed.study', MOST_ROWS = 5000, LAST_READS = 40;
const COLUMNS = ['reader', 'read', 'case', 'frame', 'task', 'bundle', 'index', 'step', 'shown', 'at', 'seconds', 'seconds_total',
  'category', 'acts', 'probability', 'confidence', 'findings', 'positive', 'answer', 'answer_probability', 'truth'];
const root = element.querySelector('[data-part="study"]');
const field = (name) => root.querySelector(`[data-field="${name}"]`);
let key = null, closedKey = null;

function log() {
  try {
    const kept = JSON.parse(window.localStorage.getItem(LOG) || 'null');
    if (kept && Array.isArray(kept.rows)) return kept;
  } catch (error) { /* unreadable: begin anew */ }
  return { reader: 'reader', rows: [] };
}
function keep(kept) {
  try { window.localStorage.setItem(LOG, JSON.stringify(kept)); } catch (error) { /* not kept then */ }
}
function merge(rows) {
  if (!rows.length) return;
  const kept = log();
  const known = new Set(kept.rows.map((row) => `${row.read} ${row.step}`));
  const fresh = rows.filter((row) => !known.has(`${row.read} ${row.step}`));
  if (!fresh.length) return;
  kept.rows = kept.rows.concat(fresh.map((row) => ({ reader: kept.reader, ...row }))).slice(-MOST_ROWS);
  keep(kept);
}

// A read counts once its last step was said. A change is one across the line at which the reader acts.
function summary() {
  const reads = new Map();
  log().rows.forEach((row) => { if (!reads.has(row.read)) reads.set(row.read, {}); reads.get(row.read)[row.step] = row; });
  const done = Array.from(reads.values()).filter((read) => read.unaided && read.places).slice(-LAST_READS);
  const changed = done.filter((read) => read.unaided.acts !== read.places.acts);
  const told = changed.filter((read) => read.places.truth && read.places.positive);
  const right = told.filter((read) => !!read.places.acts === (read.places.truth === read.places.positive)).length;
  if (!done.length) return 'No complete read is kept in this browser.';
  const parts = [];
  if (told.length) parts.push(`${right} right, ${told.length - right} wrong`);
  if (changed.length > told.length) parts.push(`${changed.length - told.length} without a known diagnosis`);
  return `Of your last ${done.length} ${done.length === 1 ? 'read' : 'reads'} you changed ${changed.length}${parts.length ? `: ${parts.join(', ')}` : ''}.`;
}
function drawLog() {
  const place = root.querySelector('[data-part="log"]');
  if (place) place.textContent = summary();
  if (field('reader')) field('reader').value = log().reader;
}
// No cell may begin as a formula of a spreadsheet does.
const cell = (value) => {
  const plain = String(value ?? ''), safe = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
function saveCsv() {
  const lines = [COLUMNS, ...log().rows.map((row) => COLUMNS.map((name) => row[name]))].map((each) => each.map(cell).join(','));
  const url = URL.createObjectURL(new Blob([`${lines.join('\r\n')}\r\n`], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url; link.download = 'jomed-reads.csv'; link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function said() {
  const choice = (name) => { const chosen = root.querySelector(`[name="study-${name}"]:checked`); return chosen ? chosen.value : field(name) ? field(name).value : null; };
  const findings = {};
  root.querySelectorAll('[data-finding]').forEach((each) => { if (each.value) findings[each.dataset.finding] = each.value; });
  const number = field('probability').value.trim();
  return {
    key, findings, none: !!(field('none') && field('none').checked), category: choice('category'), confidence: choice('confidence'),
    probability: /^\d{1,3}$/.test(number) ? Number(number) : null,
  };
}
// What is missing is said beside the form, and has the focus; the server asks for the same.
function missing(read) {
  const checks = [
    ['Choose at least one finding, or that none is seen.', '[data-finding]', !root.querySelector('[data-finding]') || Object.keys(read.findings).length || read.none],
    ['Choose a category.', '[name="study-category"]', read.category !== null],
    ['Give a probability from 0 to 100.', '[data-field="probability"]', read.probability !== null && read.probability <= 100],
    ['Choose how confident you are.', '[name="study-confidence"]', read.confidence !== null],
  ];
  const first = checks.find((each) => !each[2]);
  root.querySelector('[data-part="missing"]').textContent = first ? first[0] : '';
  if (first) root.querySelector(first[1]).focus();
  return !!first;
}
function next() {
  const read = said();
  if (!missing(read)) trigger('study_next', read);
}

function refresh() {
  const state = props.value || {};
  merge(state.rows || []);
  document.querySelectorAll('[data-action="study-switch"]').forEach((button) => button.setAttribute('aria-pressed', String(!!state.on)));
  if (state.key === key) return;
  key = state.key;
  root.innerHTML = key === closedKey ? '' : state.html || '';
  document.documentElement.classList.toggle('has-study-bar', !!root.querySelector('.study-bar'));
  drawLog();
}

element.addEventListener('submit', (event) => { event.preventDefault(); next(); });
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.matches('input')) { event.preventDefault(); if (event.target.closest('[data-part="read"]')) next(); }
});
element.addEventListener('change', (event) => {
  if (event.target.dataset.field === 'reader') {
    const kept = log();
    kept.reader = event.target.value.trim() || 'reader';
    kept.rows.forEach((row) => { row.reader = kept.reader; });
    keep(kept);
    drawLog();
  } else if (event.target.dataset.field === 'none' && event.target.checked) {
    root.querySelectorAll('[data-finding]').forEach((each) => { each.value = ''; });
  } else if (event.target.dataset.finding && event.target.value && field('none')) field('none').checked = false;
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const action = button.dataset.action;
  if (action === 'study-next') next();
  else if (action === 'study-skip') trigger('study_skip');
  else if (action === 'study-csv') saveCsv();
  else if (action === 'study-clear') { try { window.localStorage.removeItem(LOG); } catch (error) { /* nothing was kept */ } drawLog(); }
  else if (action === 'study-close') { closedKey = key; root.innerHTML = ''; document.documentElement.classList.remove('has-study-bar'); const viewer = document.querySelector('.jv'); if (viewer) viewer.focus({ preventScroll: true }); }
});
document.addEventListener('click', (event) => { if (event.target.closest('[data-action="study-switch"]')) trigger('study_switch'); });
watch('value', refresh);
refresh();
