// Search and filters for the table of claims. Without this script the table is complete, only long.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-claims-table]").forEach(addControls);
});

function addControls(box) {
  const rows = Array.from(box.querySelectorAll("tbody tr"));
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const asked = new URLSearchParams(window.location.search);
  const controls = document.createElement("form");
  controls.className = "claims-table-controls";
  controls.setAttribute("role", "search");
  controls.setAttribute("aria-label", "Filter the claims");
  controls.addEventListener("submit", (event) => event.preventDefault());

  const search = document.createElement("input");
  search.type = "search";
  search.id = "claims-search";
  search.value = asked.get("text") || "";
  controls.append(labelled("Search", search));

  const selects = ["document", "kind", "verdict"].map((name) => {
    const select = document.createElement("select");
    select.id = `claims-${name}`;
    select.dataset.filter = name;
    const values = Array.from(new Set(rows.map((row) => row.dataset[name])));
    select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    select.value = values.includes(asked.get(name)) ? asked.get(name) : "";
    controls.append(labelled(name[0].toUpperCase() + name.slice(1), select));
    return select;
  });

  const clear = document.createElement("button");
  clear.type = "button";
  clear.textContent = "Show all";
  controls.append(clear);

  const count = document.createElement("p");
  count.className = "claims-table-count";
  count.setAttribute("role", "status");

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, i) => {
      const fits =
        selects.every((s) => !s.value || row.dataset[s.dataset.filter] === s.value) &&
        words.every((word) => texts[i].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} claims`;
  }

  search.addEventListener("input", filter);
  selects.forEach((select) => select.addEventListener("change", filter));
  clear.addEventListener("click", () => {
    search.value = "";
    selects.forEach((select) => (select.value = ""));
    filter();
    search.focus();
  });
  // A scrolling region has to be reachable by keyboard.
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Table of claims");
  box.before(controls, count);
  filter();
}

function labelled(text, control) {
  const label = document.createElement("label");
  label.htmlFor = control.id;
  label.append(text, control);
  return label;
}
