// A document in the chat's frame that is not the chat itself: asking for consent, and what is kept of the visitor.
// It speaks with the loader as the chat does, keeps nothing, and has what was kept forgotten where it says so.

(() => {
  const { site } = document.documentElement.dataset, hosted = window.name === 'porchlight' && parent !== window;
  let host = null;
  const tell = (type) => { if (hosted) parent.postMessage({ porchlight: type }, host ?? '*'); }; // a bare word: for anybody
  const heard = {
    hello(data, origin) { host = origin; document.getElementById('close').hidden = false; heard.shown(data); },
    shown({ open, focus }) { if (open && focus) document.querySelector('main').focus(); },
  };
  addEventListener('message', ({ source, origin, data }) => {
    if (!hosted || source !== parent || (host && origin !== host) || !Object.hasOwn(heard, data?.porchlight)) return;
    heard[data.porchlight](data, origin);
  });
  document.getElementById('close').addEventListener('click', () => tell('close'));
  document.addEventListener('keydown', ({ key }) => { if (key === 'Escape') tell('close'); });
  document.addEventListener('submit', (event) => {
    if (!hosted || !('agree' in event.target.dataset)) return;
    event.preventDefault(); // the loader keeps the answer, and shows the chat
    tell('agree');
  });
  onpagehide = ({ persisted }) => persisted || tell('leave'); // not for one that is only put aside with the whole page
  tell('ready');
  if ('forget' in document.documentElement.dataset) {
    tell('forget');
    try { localStorage.removeItem(`porchlight:${site}`); } catch { /* nothing can be kept there */ }
  }
})();
