(() => {
  "use strict";
  const light = { ink: "#1d2329", soft: "#5a646e", grid: "#e4e7ea", panel: "#ffffff" };
  const dark = { ink: "#e4e7ea", soft: "#a0a9b2", grid: "#2e353c", panel: "#1b2025" };
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];
  const PAPER = 690; // pixels: A4 or letter upright, within the page's margins

  const theme = (colors, axes) => {
    const axis = (name) => ({
      [`${name}.gridcolor`]: colors.grid,
      [`${name}.linecolor`]: colors.grid,
      [`${name}.tickcolor`]: colors.grid,
      [`${name}.tickfont.color`]: colors.soft,
      [`${name}.title.font.color`]: colors.soft,
      [`${name}.title.font.size`]: 13,
    });
    return {
      "font.family": getComputedStyle(document.body).fontFamily,
      "font.size": 13,
      "font.color": colors.ink,
      "hoverlabel.bgcolor": colors.panel,
      "hoverlabel.bordercolor": colors.grid,
      "hoverlabel.font.color": colors.ink,
      ...Object.assign({}, ...axes.map(axis)),
    };
  };
  const drawn = new Map();
  const paint = (colors, size = {}) =>
    drawn.forEach((axes, plot) => {
      Plotly.relayout(plot, { ...theme(colors, axes), ...size });
      fit(plot);
    });
  const colors = () => (prefersDark.matches ? dark : light);

  // Plotly follows the window alone; what scripts and folding do to a plot's width it has to be told.
  const widths = new Map();
  const sizes = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (!target.clientWidth || target.clientWidth === widths.get(target)) continue;
      widths.set(target, target.clientWidth);
      Plotly.Plots.resize(target).then(() => fit(target));
    }
  });

  // A legend of many lines gets a height of its own, so that it does not eat the plot; LEGEND at
  // most, beyond which it scrolls.
  const ONE_LINE = 30;
  const LEGEND = 320;
  const heights = new Map();
  const fit = (plot) => {
    const legend = plot.querySelector(".legend .scrollbox");
    const lines = legend ? legend.getBBox().height : 0;
    const more = Math.max(0, Math.min(lines, LEGEND) - ONE_LINE);
    const height = heights.get(plot) + Math.round(more);
    if (height === plot.layout.height) return;
    plot.style.minHeight = `${height}px`;
    Plotly.relayout(plot, { height, "legend.maxheight": LEGEND });
  };

  const draw = (plot) => {
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    plot.replaceChildren();
    plot.style.minHeight = `${figure.layout.height}px`;
    const options = { responsive: true, displayModeBar: false, displaylogo: false };
    const axes = Object.keys(figure.layout).filter((name) => /^[xy]axis\d*$/.test(name));
    drawn.set(plot, axes);
    Plotly.newPlot(plot, figure.data, figure.layout, options);
    Plotly.relayout(plot, theme(colors(), axes));
    heights.set(plot, figure.layout.height);
    fit(plot);
    widths.set(plot, plot.clientWidth);
    sizes.observe(plot);
  };
  // What is folded away has no width yet: it is drawn once it is opened.
  for (const plot of plots) if (!plot.closest("details:not([open])")) draw(plot);
  document.addEventListener("toggle", () => {
    for (const plot of plots)
      if (!drawn.has(plot) && !plot.closest("details:not([open])")) draw(plot);
  }, true);
  const repaint = () => paint(colors());
  prefersDark.addEventListener("change", repaint);

  // On paper: light, as wide as the paper, and with the parts that no reader of it may miss.
  const unfolded = [];
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details.paper:not([open])")) {
      part.open = true;
      unfolded.push(part);
    }
    sizes.disconnect();
    paint(light, { autosize: false, width: PAPER });
  });
  window.addEventListener("afterprint", () => {
    for (const part of unfolded.splice(0)) part.open = false;
    paint(colors(), { autosize: true, width: null });
    for (const plot of drawn.keys()) sizes.observe(plot);
  });
})();
