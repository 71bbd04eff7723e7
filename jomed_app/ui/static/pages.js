// Light or dark as it was chosen on the reading page, black on white on paper. Runs before the page is painted.
const KEY = 'jomed.theme';
const asked = new URLSearchParams(window.location.search).get('__theme');
const kept = () => { try { return window.localStorage.getItem(KEY); } catch (error) { return null; } };
let isLight = (asked === 'light' || asked === 'dark' ? asked : kept()) === 'light';
const paper = window.matchMedia('print');
function paint() {
  document.documentElement.classList.toggle('light', isLight || paper.matches);
  document.documentElement.classList.toggle('on-paper', paper.matches);
}
paper.addEventListener('change', paint);
paint();
document.addEventListener('click', (event) => {
  if (!event.target.closest('[data-action="theme"]')) return;
  isLight = !isLight;
  try { window.localStorage.setItem(KEY, isLight ? 'light' : 'dark'); } catch (error) { /* not kept then */ }
  paint();
});
