// A part of the loader, where the site's owner wants to know who is there: told once when the page is idle, and once when
// it is left. The number lives as long as the page, and is nobody's.
const visit = Math.random(), tell = ({ type }) => agreed && !(navigator.doNotTrack > 0) && !navigator.globalPrivacyControl && navigator.sendBeacon(`${origin}/visits/${config.site}`, [visit, type, location.pathname, document.referrer.split('?')[0]]);
tell(script, api.on('consent', tell), addEventListener('pagehide', tell));
