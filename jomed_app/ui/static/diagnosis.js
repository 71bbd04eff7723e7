// Copies of the result, "restore all", and the ways to go on from a question.
const base = window.location.origin + window.location.pathname.replace(/\/?$/, '/');
const source = (name) => {
  const node = element.querySelector(`[data-source="${name}"]`);
  return node ? node.textContent.replaceAll('{base}', base) : '';
};
async function copy(textValue) {
  try {
    await navigator.clipboard.writeText(textValue);
    return true;
  } catch (error) {
    const area = document.createElement('textarea');
    area.value = textValue; area.className = 'vh';
    document.body.appendChild(area); area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
element.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  if (button.dataset.copy) {
    const done = await copy(source(button.dataset.copy));
    const words = button.textContent;
    button.textContent = done ? 'Copied' : 'Select and copy below';
    setTimeout(() => { button.textContent = words; }, 1500);
  } else if (button.dataset.action === 'restore-all') {
    trigger('case_restore_all');
  } else if (button.dataset.action === 'go-on') {
    trigger('case_go_on');
  } else if (button.dataset.answer) {
    trigger('case_search', { retrieval: button.dataset.answer });
  } else if (button.dataset.action === 'read-inverted') {
    trigger('case_inverted');
  }
});
// Weights: said while a slider moves, concluded anew once it stands.
element.addEventListener('change', (event) => {
  const slider = event.target;
  if (slider.dataset.move === undefined) return;
  trigger('case_move', { name: slider.dataset.move, value: Number(slider.value) });
});
