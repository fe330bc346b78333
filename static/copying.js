// Buttons that copy what stands beside them: `data-copy` names the element.

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = !navigator.clipboard;
  const label = button.textContent;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = own.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
