// The form before the first message, when there is no connection: it says so, and goes by itself as soon as there is one.

(() => {
  let again = 0;
  addEventListener('htmx:finally:request', ({ detail: { ctx } }) => {
    if (ctx.target?.id !== 'prechat' || ctx.request.method !== 'POST') return;
    clearTimeout(again);
    $('connection').textContent = ctx.response ? '' : words.lost;
    if (!ctx.response) again = setTimeout(() => $('prechat-form')?.requestSubmit(), 3000);
  });
})();
