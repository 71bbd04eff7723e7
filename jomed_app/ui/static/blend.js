// Comparing: the other patient's image over this patient's, faint or by turns. As soon as it is the
// stronger one, the pane has the other patients' color and name, and boxes fade with their image.
const HOLD_MS = 350;
let blend = 0, flicked = false, flickedAt = 0;

function overNow() { return compared === null ? 0 : flicked ? 1 : blend; }
function drawOver() {
  const pane = panes.get('query'), other = panes.get(compared), over = other ? overNow() : 0;
  if (!pane) return;
  pane.over.hidden = !over;
  pane.svg.style.opacity = 1 - over;
  pane.heat.style.opacity = heatOpacity * (1 - over);
  if (!over) return;
  const f = frameOf(other, pane.stage);
  if (pane.overSource !== other.img.src) { pane.overSource = other.img.src; pane.over.style.backgroundImage = `url(${other.img.src})`; }
  Object.assign(pane.over.style, {
    left: `${f.left}px`, top: `${f.top}px`, width: `${f.w}px`, height: `${f.h}px`, opacity: over, filter: other.img.style.filter,
  });
}
function showOver() {
  const pane = panes.get('query'), other = panes.get(compared), over = overNow();
  part('over').value = blend;
  part('over-value').textContent = `${Math.round(over * 100)} %`;
  pressed('flicker', flicked);
  if (!pane) return;
  const isOther = !!other && over > 0.5;
  pane.box.classList.toggle('is-over', isOther);
  pane.box.querySelector('.pane-title').textContent = isOther ? `${other.data.title}, over yours` : pane.data.title;
  showNote(pane); drawOver();
}
function setBlend(value) {
  blend = clamp(value, 0, 1); flicked = false;
  showOver();
}
function flick(event) {
  if (compared === null || (event && event.repeat)) return;
  flicked = !flicked; flickedAt = event ? event.timeStamp : 0;
  showOver();
  say(flicked ? `${panes.get(compared).data.title} shown in place of your image` : 'your image');
}
// Held down, the key shows the other image until it is let go.
root.addEventListener('keyup', (event) => {
  if (event.key === 'f' && flicked && flickedAt && event.timeStamp - flickedAt > HOLD_MS) flick();
});
