// What the scripts of the owner's pages say, in the page's language.

const own = JSON.parse(document.getElementById('own-words').content);
const pageLanguage = document.documentElement.lang;
const fill = (sentence, gaps) => sentence.replace(/\{(\w+)\}/g, (whole, name) => gaps[name] ?? whole);
const ownCounted = (forms, gaps) => fill(forms[new Intl.PluralRules(pageLanguage).select(gaps.n)] ?? forms.other, gaps);
