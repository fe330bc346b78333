// The page "Appearance": the preview follows the form, pictures go up when they are chosen, nothing unsaved is lost.
(() => {
  const form = document.getElementById('look'), draw = document.getElementById('draw');
  const written = () => new URLSearchParams([...new FormData(form)].filter(([name, value]) => typeof value === 'string' && !['show', 'light'].includes(name))).toString();
  const saved = written();
  let leaving = false, timer;

  // Each preview comes in a frame of its own, made ready behind the one that is seen: no flicker, no history.
  function redraw() {
    const old = document.querySelector('#stage:last-of-type'), fresh = old.cloneNode();
    fresh.name = draw.formTarget = `stage-${Date.now()}`;
    fresh.removeAttribute('id');
    fresh.classList.add('coming');
    old.after(fresh);
    const files = [...form.querySelectorAll('[type=file]')];
    files.forEach((field) => { field.disabled = true; });
    form.requestSubmit(draw);
    files.forEach((field) => { field.disabled = false; });
    fresh.addEventListener('load', () => {
      if (!fresh.isConnected) return;
      document.querySelectorAll('.beside iframe').forEach((frame) => { if (frame !== fresh) frame.remove(); });
      fresh.id = 'stage';
      fresh.classList.remove('coming');
    });
  }
  function soon(wait = 350) {
    clearTimeout(timer);
    timer = setTimeout(() => { redraw(); htmx.trigger('#notes', 'typed'); }, wait);
  }

  form.addEventListener('submit', ({ submitter }) => { leaving = submitter !== draw; });
  addEventListener('beforeunload', (event) => { if (!leaving && (form.dataset.unsaved || written() !== saved)) event.preventDefault(); });
  document.addEventListener('input', ({ target }) => { if (target.form === form && target.type !== 'file') soon(); });

  for (const wheel of document.querySelectorAll('[data-for]')) {
    const field = document.getElementById(wheel.dataset.for);
    wheel.hidden = false;
    wheel.addEventListener('input', () => { field.value = wheel.value; soon(); });
    field.addEventListener('input', () => { if (/^#[0-9a-f]{6}$/i.test(field.value)) wheel.value = field.value; });
  }
  for (const box of document.querySelectorAll('[data-picture]')) {
    const file = box.querySelector('[type=file]'), kept = box.querySelector('[type=hidden]'), refused = box.querySelector('[data-refused]');
    file.addEventListener('change', async () => {
      if (!file.files[0]) return;
      const sent = new FormData();
      sent.append('csrf', form.elements.csrf.value);
      sent.append(file.name, file.files[0]);
      const answer = await fetch(box.dataset.picture, { method: 'POST', body: sent }).then((response) => response.json()).catch(() => null);
      refused.textContent = answer ? answer.error ?? '' : own.pictureLost;
      file.value = '';
      if (!answer?.digest) return;
      kept.value = answer.digest;
      const image = box.querySelector('img') ?? Object.assign(new Image(), { alt: own.chosen, height: 40 });
      image.src = `/pictures/${answer.digest}.webp`;
      file.before(image);
      soon(0);
    });
  }
  soon(0);
})();
