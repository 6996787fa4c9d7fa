(() => {
  "use strict";
  const form = document.getElementById("filters");
  const count = document.getElementById("count");
  const all = count.textContent;
  // The text is read once: reading it at every key press is what makes such tables slow.
  const rows = Array.from(document.querySelectorAll("#questions tbody tr"), (row) => ({
    row,
    category: row.dataset.category,
    wrong: row.dataset.wrong,
    text: row.textContent.toLowerCase(),
  }));
  const apply = () => {
    const { category, wrong, search } = Object.fromEntries(new FormData(form));
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of rows) {
      const fits =
        (!category || item.category === category) &&
        (!wrong || (wrong === "any" ? item.wrong !== "" : item.wrong.includes(`|${wrong}|`))) &&
        words.every((word) => item.text.includes(word));
      item.row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === rows.length ? all : `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
