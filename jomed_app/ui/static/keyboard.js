// Menus that close, and a focus that is never lost while parts of the page are drawn anew.
{
  const menus = () => Array.from(document.querySelectorAll('details.menu[open]'));
  const close = (menu) => {
    const held = menu.contains(document.activeElement);
    menu.open = false;
    if (held) menu.querySelector('summary').focus({ preventScroll: true });
  };
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') menus().forEach(close); });
  document.addEventListener('click', (event) => {
    menus().forEach((menu) => { if (!menu.contains(event.target) || event.target.closest('.menu-box button:not([data-stays])')) close(menu); });
  });

  // What the reader has opened stays open, by its key and the part of the page that it is in.
  const opened = new Set();
  const whole = (node) => { const part = node.closest('[id^="jomed-"]'); return part ? part.id : ''; };
  const keyOf = (details) => `${whole(details)} ${details.dataset.key}`;
  document.addEventListener('toggle', (event) => {
    const details = event.target;
    if (details.isConnected && details.open && details.dataset && details.dataset.key && !details.matches('.menu')) opened.add(keyOf(details));
  }, true);
  // Closed by the reader alone: a part that is redrawn in place loses the attribute too.
  document.addEventListener('click', (event) => {
    const summary = event.target.closest('summary'), details = summary && summary.closest('details[data-key]');
    if (details && details.open) opened.delete(keyOf(details));
  }, true);
  const reopen = (node) => {
    const found = node.matches('details[data-key]') ? [node] : Array.from(node.querySelectorAll('details[data-key]'));
    found.forEach((details) => { if (!details.open && opened.has(keyOf(details))) details.open = true; });
  };

  // The focus: where it was, in words that a redrawn part still understands.
  const NAMES = ['data-do', 'data-part', 'data-corner', 'data-search', 'data-unfold', 'data-preset', 'data-region', 'data-example', 'data-link', 'data-copy', 'data-action', 'data-id', 'data-move', 'data-answer', 'data-list', 'data-row'];
  const FOCUSABLE = 'a[href], button:not(:disabled), input:not(:disabled), summary, select, textarea, [tabindex="0"]';
  const isHeld = (node) => node.isConnected && !node.disabled && !node.closest('[hidden]');  // asks for no layout
  const isThere = (node) => isHeld(node) && node.getClientRects().length > 0;
  let last = null, place = null;
  const placeOf = (node) => {
    const parts = NAMES.filter((name) => node.hasAttribute(name)).map((name) => `[${name}="${CSS.escape(node.getAttribute(name))}"]`);
    const details = node.matches('summary') && node.closest('details[data-key]');
    const id = node.getAttribute('data-id');
    return {
      whole: whole(node),
      same: details ? `details[data-key="${CSS.escape(details.dataset.key)}"] > summary` : parts.join(''),
      like: id ? `[data-id="${CSS.escape(id)}"]:is([data-action="remove"], [data-action="restore"])` : '',
    };
  };
  document.addEventListener('focusin', (event) => { last = event.target; place = placeOf(last); });
  document.addEventListener('focusout', (event) => {
    const left = event.target;
    setTimeout(() => { if (last === left && isThere(left) && document.activeElement === document.body) last = null; });
  });
  const restore = () => {
    const now = document.activeElement;
    if (!last || (now && now !== document.body && isHeld(now))) return;
    if (isThere(last)) { last = null; return; }
    const part = document.getElementById(place.whole) || document;
    const found = [place.same, place.like].filter(Boolean).map((each) => part.querySelector(each)).filter((each) => each && isThere(each));
    const others = place.whole === 'jomed-viewer' ? [] : Array.from(part.querySelectorAll(FOCUSABLE)).filter(isThere);
    const next = found[0] || others[0] || document.querySelector('.jv');
    if (next) next.focus({ preventScroll: true });
  };
  new MutationObserver((changes) => {
    if (opened.size) changes.forEach((change) => { if (change.target.isConnected && change.target.nodeType === 1) reopen(change.target); });
    restore();
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['hidden', 'disabled', 'open', 'data-key'] });
}
