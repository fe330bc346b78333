// Fields for a time zone: the names to choose from, and this browser's own where none is kept.

for (const field of document.querySelectorAll('[data-zones]')) {
  field.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';
  for (const name of Intl.supportedValuesOf?.('timeZone') ?? []) field.list.append(new Option(name));
}
