// Upload under a random name, examples, stop and purge. The original file name never leaves the page.
const LIMIT = @limit_mb * 1024 * 1024;
const part = (name) => element.querySelector(`[data-part="${name}"]`);

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('') + '.bin';
}

// Not Gradio's own upload: that one shows a refusal as raw JSON in a corner of the page.
async function send(file) {
  if (!file) return;
  forgetLink();
  if (file.size > LIMIT || file.size === 0) { trigger('case_refused', {}); return; }
  try {
    part('file').disabled = true;
    const form = new FormData();
    form.append('files', new Blob([file], { type: 'application/octet-stream' }), randomName());
    const answer = await fetch('gradio_api/upload', { method: 'POST', body: form });
    const said = await answer.json();
    if (answer.ok) trigger('case_file', { path: said[0] });
    else trigger('case_refused', { said: said.detail });
  } catch (error) {
    trigger('case_refused', {});
  } finally {
    part('file').disabled = false;
    part('file').value = '';
  }
}

// A link to an example that ships; nothing of a case ever stands in an address.
async function copyLink(button) {
  const address = `${window.location.origin}${window.location.pathname}?example=${encodeURIComponent(button.dataset.link)}`;
  const words = button.textContent;
  try { await navigator.clipboard.writeText(address); button.textContent = 'Copied'; } catch (error) { button.textContent = address; }
  setTimeout(() => { button.textContent = words; }, 2000);
}
// What the address names is no longer what is open.
function forgetLink() {
  const here = new URL(window.location.href);
  if (!here.searchParams.has('example')) return;
  here.searchParams.delete('example');
  window.history.replaceState(window.history.state, '', here);
}

function refresh() {
  const state = props.value || {};
  part('cancel').hidden = !state.busy;
  part('again').hidden = !state.run;
  part('purge').disabled = !state.case;
  element.querySelectorAll('[data-example]').forEach((b) => { b.disabled = !!state.busy; });
}

element.addEventListener('change', (event) => {
  if (event.target.dataset.part === 'file') send(event.target.files[0]);
});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.link !== undefined) { copyLink(button); return; }
  if (button.dataset.example !== undefined || button.dataset.part === 'purge') forgetLink();
  if (button.dataset.example !== undefined) trigger('case_example', { number: Number(button.dataset.example) });
  else if (button.dataset.part === 'cancel') trigger('case_cancel');
  else if (button.dataset.part === 'again') trigger('case_again');
  else if (button.dataset.part === 'purge') trigger('case_purge');
});

const holdsFiles = (event) => event.dataTransfer && Array.from(event.dataTransfer.types).includes('Files');
let depth = 0;
document.addEventListener('dragenter', (event) => {
  if (!holdsFiles(event)) return;
  depth += 1; document.body.classList.add('is-dropping');
});
document.addEventListener('dragleave', (event) => {
  if (!holdsFiles(event)) return;
  depth = Math.max(0, depth - 1);
  if (depth === 0) document.body.classList.remove('is-dropping');
});
document.addEventListener('dragover', (event) => { if (holdsFiles(event)) event.preventDefault(); });
document.addEventListener('drop', (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  depth = 0; document.body.classList.remove('is-dropping');
  send(event.dataTransfer.files[0]);
});
watch('value', refresh);
refresh();
