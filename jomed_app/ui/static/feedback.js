// The reader's judgement of the answer: a form for the case that is shown, sent to the operator's file.
const details = element.querySelector('.judge'), place = element.querySelector('[data-part="judge-form"]');
const shownCase = () => { const viewer = document.querySelector('[data-case]'); return viewer ? viewer.dataset.case : ''; };
let filledFor = null;

async function ask(call, request) {
  try { return await call(request); } catch (error) { return { error: 'Not kept: the server did not answer.' }; }
}
async function fill() {
  const token = shownCase();
  if (!details.open || filledFor === token) return;
  filledFor = token;
  const form = await ask(server.feedback_form, { case: token });
  if (filledFor !== token) return;
  if (form.html) place.innerHTML = form.html; else { place.textContent = form.error || ''; filledFor = null; }
}
function marks(prefix) {
  const found = {};
  place.querySelectorAll(`input[name^="${prefix}"]:checked`).forEach((each) => { found[each.name.slice(prefix.length)] = each.value === 'yes'; });
  return found;
}
async function save() {
  const verdict = place.querySelector('[name="judge-verdict"]:checked');
  const value = (name) => place.querySelector(`[data-judge="${name}"]`).value;
  const reasons = Array.from(place.querySelectorAll('[data-reason]:checked')).map((each) => each.value);
  const answer = await ask(server.save_feedback, {
    case: filledFor, verdict: verdict ? verdict.value : '', label: value('label'), said: value('said'), reasons,
    similar: marks('similar-'), places: marks('place-'),
  });
  const said = place.querySelector('[data-part="judge-said"]');
  if (said) said.textContent = answer.error || answer.said;
}
// Shown with an answer alone; a form of another case is never left standing.
function refresh() {
  const hasAnswer = !!document.querySelector('#jomed-panel [data-copy="json"]');
  if (element.hidden === hasAnswer) element.hidden = !hasAnswer;
  if (filledFor !== null && filledFor !== shownCase()) { filledFor = null; details.open = false; place.textContent = ''; }
}
details.addEventListener('toggle', fill);
element.addEventListener('submit', (event) => event.preventDefault());
element.addEventListener('click', (event) => { if (event.target.closest('[data-action="judge-save"]')) save(); });
new MutationObserver(refresh).observe(document.getElementById('jomed-panel'), { childList: true, subtree: true });
new MutationObserver(refresh).observe(document.getElementById('jomed-viewer'), { attributes: true, subtree: true, attributeFilter: ['data-case'] });
refresh();
