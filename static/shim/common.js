// What every shim shares: from which server it came, and the loader of the site that it is for (`?site=` of its own
// address or `data-site`, else what the page calls its account, else main).
window.porchlightShim = (script) => {
  const { origin, searchParams } = new URL(script.src), told = searchParams.get('site') ?? script.dataset.site;
  const missed = new Set();
  const shim = {
    server: '__SERVER__' || origin, site: told ?? 'main',
    load(account, speak) {
      if (!told && /^[a-z0-9](-?[a-z0-9]){0,31}$/.test(account ?? '') && '__SITES__'.split(' ').includes(account)) shim.site = account;
      const tag = document.createElement('script');
      tag.async = true;
      tag.src = `${origin}/w/${shim.site}.js`;
      tag.addEventListener('load', () => speak(window.Porchlight));
      document.head.append(tag);
    },
    missing(call) { // there is no such thing here: said once, quietly
      if (!missed.has(call)) console.debug(`Porchlight: ${call} has no meaning here.`);
      missed.add(call);
    },
  };
  return shim;
};
