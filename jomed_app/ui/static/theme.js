// Dark, unless light was chosen: by the address for this visit, or by the button, which is kept.
{
  const KEY = 'jomed.theme';
  const asked = new URLSearchParams(window.location.search).get('__theme');
  const kept = () => { try { return window.localStorage.getItem(KEY); } catch (error) { return null; } };
  let isLight = (asked === 'light' || asked === 'dark' ? asked : kept()) === 'light';
  const paper = window.matchMedia('print');
  const paint = () => {
    const isBright = isLight || paper.matches;
    document.documentElement.classList.toggle('light', isBright);
    document.documentElement.classList.toggle('on-paper', paper.matches);
    // Gradio marks the body by the system's wish; what is its own follows ours.
    if (document.body.classList.contains('dark') === isBright) document.body.classList.toggle('dark', !isBright);
  };
  paper.addEventListener('change', paint);
  new MutationObserver(paint).observe(document.body, { attributes: true, attributeFilter: ['class'] });
  paint();
  element.addEventListener('click', (event) => {
    if (!event.target.closest('[data-action="theme"]')) return;
    isLight = !isLight;
    try { window.localStorage.setItem(KEY, isLight ? 'light' : 'dark'); } catch (error) { /* not kept then */ }
    paint();
  });
}

// How high it is that stays on top: the answer column and the answer bar stay below it.
{
  const parts = ['jomed-header', 'jomed-top'].map((id) => document.getElementById(id)).filter(Boolean);
  const measure = () => {
    const sticky = parts.find((part) => getComputedStyle(part).position === 'sticky');
    if (sticky) document.documentElement.style.setProperty('--j-top', `${sticky.offsetHeight}px`);
  };
  const sizes = new ResizeObserver(measure);
  parts.forEach((part) => sizes.observe(part));
  window.addEventListener('resize', measure);
  measure();
}
