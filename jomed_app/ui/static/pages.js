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

// The failures are asked for once the page is there, and again while they are being read.
const NEWS_MS = 1000;
async function failures(method) {
  const part = document.querySelector('[data-part="failures"]');
  if (!part) return;
  try {
    const answer = await fetch('evidence/failures', method === 'POST' ? { method, body: '{}' } : {});
    if (!answer.ok) throw new Error(String(answer.status));
    const parsed = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const news = parsed.querySelector('[data-part="failures"]');
    const hadFocus = part.contains(document.activeElement);
    part.replaceWith(news);
    if (hadFocus) { news.tabIndex = -1; news.focus(); }
    if (news.dataset.state === 'running') setTimeout(() => failures('GET'), NEWS_MS);
  } catch (error) {
    part.textContent = 'This server did not answer; load the page again.';
  }
}
document.addEventListener('DOMContentLoaded', () => failures('GET'));
document.addEventListener('click', (event) => {
  if (event.target.closest('[data-action="failures"]')) failures('POST');
});
