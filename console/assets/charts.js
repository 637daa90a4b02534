// Draws the charts from the tables below them.
"use strict";
(() => {
  const drawn = new Map(); // by the element that contains the chart
  // A canvas does not support light-dark(), so the browser resolves it as the colour of an element.
  const probe = document.createElement("i");
  const token = (name) => {
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };

  // Failed bars are hatched too, so that the meaning does not depend on colour alone.
  const hatched = (colour) => {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 6, 6);
    pen.strokeStyle = token("page");
    pen.lineWidth = 1.5;
    for (const x of [-3, 3]) { pen.beginPath(); pen.moveTo(x, 7); pen.lineTo(x + 8, -1); pen.stroke(); }
    return pen.createPattern(tile, "repeat");
  };

  // The legend next to the chart is also a table.
  const read = (figure) => {
    const table = figure.querySelector(".numbers");
    const names = [...table.querySelectorAll("thead th")].slice(1).map((cell) => cell.textContent);
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells]);
    const columns = names.map((_, i) => rows.map((cells) => (cells[i + 1].textContent.trim() === "" ? null : Number(cells[i + 1].textContent))));
    const marks = [...figure.querySelectorAll(".marks time")].map((time) => Date.parse(time.dateTime) / 1000);
    return { names, times: rows.map((cells) => Date.parse(cells[0].querySelector("time").dateTime) / 1000), columns, marks };
  };

  // Changes are dashed lines at their times; the list below describes them.
  const drawMarks = (marks) => (plot) => {
    const pen = plot.ctx, { left, top, width, height } = plot.bbox;
    pen.save();
    pen.strokeStyle = token("text");
    pen.setLineDash([4, 4]);
    for (const at of marks) {
      const x = plot.valToPos(at, "x", true);
      if (x < left || x > left + width) continue;
      pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, top + height); pen.stroke();
    }
    pen.restore();
  };

  const options = (figure, place, data) => {
    const bars = figure.dataset.chart === "bars";
    const axis = { stroke: token("muted"), grid: { stroke: token("line"), width: 1 }, ticks: { stroke: token("line"), width: 1 } };
    const ticks = [[86400, "{D} {MMM}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1]];
    const first = token("chart-delivered"), second = token("chart-failed");
    const zone = localStorage.getItem("switchboard.times") === "utc" ? { tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC") } : {};
    const series = data.names.map((name, i) => (bars
      ? { label: name, stroke: i ? second : first, fill: i ? hatched(second) : first, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.9, 60], align: 1 }), value: (_, v, s, at) => (at === null ? "–" : data.columns[i][at]) }
      : { label: name, stroke: i ? second : first, width: 2, dash: i ? [6, 4] : [], points: { show: data.columns[i].filter((v) => v !== null).length < 40, size: 4 }, value: (_, v) => (v === null ? "–" : v) }));
    return {
      ...zone, hooks: { draw: [drawMarks(data.marks)] }, width: Math.max(200, place.clientWidth), height: 180, cursor: { drag: { x: false, y: false }, points: { show: false } },
      legend: { markers: { width: 0, fill: (_, i) => (i === 1 ? first : second) } },
      // The newest bar begins at the last time.
      scales: { x: { range: (_, low, high) => [low, high + (data.times[1] - data.times[0] || 0)] }, y: { range: (_, low, high) => [0, Math.max(1, high * 1.05)] } },
      axes: [{ ...axis, values: ticks }, { ...axis, size: 56 }],
      series: [{ value: (_, at) => (at === null ? "–" : new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...(zone.tzDate ? { timeZone: "UTC" } : {}) }).format(at * 1000)) }, ...series],
    };
  };

  const draw = () => {
    for (const figure of document.querySelectorAll("[data-chart]")) {
      const place = figure.querySelector("[data-plot]"), data = read(figure);
      drawn.get(place)?.destroy();
      drawn.delete(place);
      if (!data.times.length || !data.columns.some((column) => column.some(Boolean))) continue;
      // The second is drawn upon the first: together they have the height of the total.
      const shown = figure.dataset.chart === "bars" ? [data.columns[0].map((v, i) => v + data.columns[1][i]), data.columns[1]] : data.columns;
      drawn.set(place, new uPlot(options(figure, place, data), [data.times, ...shown], place));
    }
  };

  let waiting;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(draw, 100); };
  addEventListener("resize", soon);
  document.addEventListener("change", (event) => { if (event.target.dataset.setting) soon(); });
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.querySelector?.("[data-chart]")) draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", draw); else draw();
})();
