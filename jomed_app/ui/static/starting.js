// Asks how far the loading is; once the page itself answers in this app's place, opens it.
(() => {
  const asked = new URLSearchParams(location.search).get('__theme');
  const chosen = asked === 'dark' || asked === 'light' ? asked : localStorage.getItem('jomed.theme');
  document.documentElement.classList.toggle('light', chosen === 'light');
  const bar = document.querySelector('.starting progress');
  const words = document.querySelector('.starting-words');
  const ask = async () => {
    let answer = null;
    try {
      answer = await fetch('/starting', { cache: 'no-store' });
    } catch {
      setTimeout(ask, 1000); // between the two apps nobody answers for a moment
      return;
    }
    const now = answer.ok ? await answer.json() : { is_over: true }; // a log-in stands before it
    if (now.is_over) {
      location.reload();
      return;
    }
    bar.value = now.share;
    words.textContent = now.words;
    setTimeout(ask, 500);
  };
  ask();
})();
