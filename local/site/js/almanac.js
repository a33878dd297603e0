const response = await fetch("/stations/today.json");
const { stations } = await response.json();

document.querySelector("#tides").replaceChildren(
  ...stations.map(({ name, high, low }) => {
    const row = document.createElement("tr");
    for (const text of [name, high, low]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    return row;
  }),
);
