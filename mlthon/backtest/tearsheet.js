"use strict";
// Draws the charts of the page. Colours are named by the style sheet, so that they follow the reader's scheme.
const charts = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 760px)");

function coloured(value, style) {
  if (typeof value === "string") return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
  if (Array.isArray(value)) return value.length && typeof value[0] === "number" ? value : value.map(v => coloured(v, style));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, coloured(member, style)]));
  return value;
}

function draw() {
  const style = getComputedStyle(document.documentElement);
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: narrow.matches ? 11 : 12, color: "--ink" },
    margin: { l: 8, r: 8, t: 28, b: 8 },
    hovermode: "x unified",
    hoverlabel: { bgcolor: "--card", bordercolor: "--rule", font: { color: "--ink" } },
    legend: { orientation: "h", x: 0, y: 1.0, yanchor: "bottom", font: { size: narrow.matches ? 11 : 12 } },
    dragmode: narrow.matches ? false : "zoom",
  };
  const axis = { automargin: true, gridcolor: "--grid", linecolor: "--rule", zerolinecolor: "--rule", tickcolor: "--rule" };
  const times = { nticks: narrow.matches ? 4 : 0 };
  const numbers = { tickformat: ",.8~f", nticks: 6 };
  for (const [id, chart] of Object.entries(charts)) {
    const layout = { ...base, ...chart.layout };
    for (const key of new Set(["xaxis", "yaxis", ...Object.keys(chart.layout)]))
      if (/^[xy]axis\d*$/.test(key)) layout[key] = { ...axis, ...(key[0] === "x" ? times : numbers), ...chart.layout[key] };
    Plotly.react(id, coloured(chart.data, style), coloured(layout, style), {
      responsive: true, displayModeBar: false,
    });
  }
}

dark.addEventListener("change", draw);
narrow.addEventListener("change", draw);
draw();
