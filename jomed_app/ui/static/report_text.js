// The report text: what the reader chose is worded by the server, line by line; edited lines stay.
let reportOf = null, reportLines = [], reportTurn = 0;
const reportArea = () => element.querySelector('[data-report-lines]');
const shownCase = () => { const viewer = document.querySelector('[data-case]'); return viewer ? viewer.dataset.case : ''; };
const choices = () => Array.from(element.querySelectorAll('[data-report-choice]'));
function startReport() {
  const area = reportArea();
  if (!area) { reportOf = null; return; }
  const of = `${shownCase()}\n${area.defaultValue}`;
  if (of === reportOf) return;
  reportOf = of; // another patient, or another answer: nothing that was written before stays
  reportLines = area.defaultValue.split('\n');
  area.value = area.defaultValue;
  choices().forEach((select) => { select.value = ''; });
}
new MutationObserver(startReport).observe(element, { childList: true, subtree: true, characterData: true });
element.addEventListener('change', async (event) => {
  if (!event.target.dataset.reportChoice) return;
  const of = reportOf, turn = ++reportTurn, asked = { case: shownCase() };
  choices().forEach((select) => { asked[select.dataset.reportChoice] = select.value; });
  let said = null;
  try { said = await server.report_text(asked); } catch (error) { said = null; }
  const area = reportArea();
  if (!said || !said.lines || !area || of !== reportOf || turn !== reportTurn) return; // a later choice is answered later
  const written = area.value.split('\n');
  said.lines.forEach((line, place) => {
    const before = reportLines[place];
    if (before === line) return;
    const at = written.indexOf(before);
    if (at >= 0) written[at] = line; else written.splice(Math.max(0, written.length - 1), 0, line);
  });
  reportLines = said.lines;
  area.value = written.join('\n');
});
element.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-action="copy-report"]');
  if (!button) return;
  const done = await copy(reportArea().value), words = 'Copy text';
  button.textContent = done ? 'Copied' : 'Select and copy above';
  setTimeout(() => { button.textContent = words; }, 1500);
});
