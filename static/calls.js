// What the page's code tells of its visitor, and what it has the chat do (window.Porchlight). Fetched when first needed, under
// a name without its hash: one that stood in every document would cost 30 bytes of the opening.

export default function createCalls({ base, log, fields, act, count, recall, start, now }) {
  // What is told is kept here until the visitor acts. Who is proven may have a talk already, so an open chat asks at once.
  let told = [], telling = false;
  const form = document.getElementById('composer');
  const box = form.elements.body, proves = ([name, , about]) => name === 'setUser' && about?.token;

  async function tell() {
    const { token, acted, open } = now();
    if (telling || !told.length || !(acted || (open && told.some(proves)))) return;
    telling = true;
    const sent = told.length, body = new URLSearchParams({ ...fields(), calls: JSON.stringify(told) });
    const answer = await fetch(`${base}/facts`, { method: 'POST', body, headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
    const said = await answer?.json().catch(() => null);
    telling = false;
    if (said?.error) console.warn(`Porchlight: ${said.error}`);
    if (answer?.status === 422 || said?.stored) told = told.slice(sent);
    if (said?.changed) await turn();
    if (said?.stored && told.length) tell();
  }
  async function turn() { // this device goes on in another talk: the person's own
    act();
    log.element().replaceChildren();
    log.forget();
    await recall();
    start();
    log.toEnd();
    count();
  }

  const does = {
    prefill(text) {
      box.value = String(text ?? '').slice(0, box.dataset.limit);
      box.dispatchEvent(new Event('input', { bubbles: true }));
    },
    send(text) {
      const draft = box.value;
      does.prefill(text);
      form.requestSubmit();
      if (draft) does.prefill(draft);
    },
    say(text) { document.querySelector('.greeting').textContent = String(text); },
  };
  function heed(calls) {
    for (const call of calls) if (Object.hasOwn(does, call[0])) does[call[0]](call[1]); else told.push(call);
    tell();
  }
  return { heed, tell };
}
