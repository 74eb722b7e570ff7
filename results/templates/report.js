(() => {
  "use strict";
  const light = { ink: "#1d2329", soft: "#5a646e", grid: "#e4e7ea", panel: "#ffffff" };
  const dark = { ink: "#e4e7ea", soft: "#a0a9b2", grid: "#2e353c", panel: "#1b2025" };
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll(".plot")];

  const theme = (colors) => {
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
      ...axis("xaxis"),
      ...axis("yaxis"),
    };
  };
  const paint = (colors) => plots.forEach((plot) => Plotly.relayout(plot, theme(colors)));

  for (const plot of plots) {
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    plot.replaceChildren();
    plot.style.minHeight = `${figure.layout.height}px`;
    const options = { responsive: true, displayModeBar: false, displaylogo: false };
    Plotly.newPlot(plot, figure.data, figure.layout, options);
  }
  const repaint = () => paint(prefersDark.matches ? dark : light);
  repaint();
  prefersDark.addEventListener("change", repaint);
  window.addEventListener("beforeprint", () => paint(light));
  window.addEventListener("afterprint", repaint);
})();
