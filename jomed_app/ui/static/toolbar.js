// What is chosen or dropped goes to the list (worklist.js), a folder as its files; examples, stop and purge.
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const offer = (files) => {
  if (!files.length) return;
  forgetLink();
  document.dispatchEvent(new CustomEvent('jomed-files', { detail: files }));
};

// The files of what was dropped, those inside of folders too, by name; hidden ones are left out.
async function filesOf(entry) {
  if (entry.name.startsWith('.')) return [];
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    found.push(...some);
  }
  found.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  const files = [];
  for (const each of found) files.push(...await filesOf(each));
  return files;
}
async function dropped(transfer) {
  const entries = Array.from(transfer.items || [], (item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
  if (!entries.some((each) => each && each.isDirectory)) { offer(Array.from(transfer.files)); return; }
  const files = [];
  for (const each of entries) if (each) files.push(...await filesOf(each));
  offer(files);
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
  if (event.target.dataset.part !== 'file') return;
  offer(Array.from(event.target.files));
  event.target.value = '';
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
  dropped(event.dataTransfer);
});
watch('value', refresh);
refresh();
