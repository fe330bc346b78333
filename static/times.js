// Times on the owner's pages, in words of the reader's own: "5 minutes ago".

(() => {
  const units = [[60, 'second', 1], [3600, 'minute', 60], [86400, 'hour', 3600], [Infinity, 'day', 86400]];
  function times() {
    for (const time of document.querySelectorAll('time[data-relative]')) {
      const date = new Date(time.dateTime), seconds = Math.max(0, (Date.now() - date) / 1000);
      const [, unit, size] = units.find(([most]) => seconds < most);
      time.title = date.toLocaleString();
      time.textContent = unit === 'second' ? own.justNow : new Intl.RelativeTimeFormat(pageLanguage).format(-Math.floor(seconds / size), unit);
    }
  }
  times();
  setInterval(times, 20000);
  document.addEventListener('htmx:after:swap', times);
})();
