// Asked for when the server is under load: what it wants computed before a new conversation begins. It is done beside the
// page, and goes along with the message, which is then sent again by itself.

const MOST = 3; // challenges for one message: a clock that is wrong must not compute for ever

export default (row, html) => new Promise((done, failed) => {
  const { challenge, moment } = new DOMParser().parseFromString(html, 'text/html').querySelector('[data-challenge]').dataset;
  const form = row.querySelector('form'), status = document.getElementById('connection');
  const proof = form.elements.proof ?? form.appendChild(Object.assign(document.createElement('input'), { type: 'hidden', name: 'proof' }));
  const worker = new Worker('/static/solver.now.js');
  const end = (then) => { worker.terminate(); status.textContent = ''; then(); };
  row.querySelector('.state').textContent = words.states[0];
  row.removeAttribute('data-failed');
  proof.dataset.asked = Number(proof.dataset.asked ?? 0) + 1;
  if (proof.dataset.asked > MOST) { proof.remove(); return end(failed); }
  status.textContent = moment;
  worker.onmessage = ({ data }) => end(() => {
    if (!data) return failed();
    proof.value = data;
    done();
  });
  worker.onerror = () => end(failed);
  worker.postMessage(challenge);
});
