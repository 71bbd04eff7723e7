// The menu "Save": the server makes the file in memory, the browser keeps it.
const said = (words) => {
  const node = element.querySelector('.save-said');
  if (node) node.textContent = words;
};
element.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-save]');
  if (!button) return;
  const viewer = document.querySelector('[data-case]');
  said('Saving …');
  let file = null;
  try {
    file = await server.save_case({ case: viewer ? viewer.dataset.case : '', kind: button.dataset.save });
  } catch (error) {
    file = null;
  }
  if (!file || !file.data) { said((file && file.error) || 'Not saved: the server did not answer.'); return; }
  const bytes = Uint8Array.from(atob(file.data), (sign) => sign.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: file.type }));
  const link = document.createElement('a');
  link.href = url; link.download = file.name; link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  said(`Saved: ${file.name}`);
});
