"""How the page looks: on paper and in the light by default, and in the dark where the reader's system says so."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light;--back:#fff;--text:#1b1f24;--soft:#59636e;--line:#d1d9e0;--panel:#f6f8fa;
--good:#116329;--good-back:#dafbe1;--bad:#a40e26;--bad-back:#ffebe9;--warn:#7a4e00;--warn-back:#fff3cd;--bar:#0a5fb4}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--back:#0d1117;--text:#e6edf3;--soft:#9da7b3;
--line:#3d444d;--panel:#161b22;--good:#7ee787;--good-back:#12261e;--bad:#ffa198;--bad-back:#3a1518;--warn:#f2cc60;
--warn-back:#2e2410;--bar:#58a6ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--back);color:var(--text);
font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:0}p{margin:.25rem 0}ul{margin:.25rem 0;padding-left:1.25rem}
.soft{color:var(--soft)}code{font:.9em ui-monospace,monospace}
.verdict{border-left:.5rem solid;padding:.75rem 1rem;margin:1rem 0;font-size:1.1rem}
.verdict strong{font-size:1.3rem}
.good{color:var(--good);background:var(--good-back)}.unsure{color:var(--warn);background:var(--warn-back)}
.bad{color:var(--bad);background:var(--bad-back)}
.warn{color:var(--warn);background:var(--warn-back);border-left:.25rem solid;padding:.25rem .75rem;margin:.5rem 0}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
.panel,.finding{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.75rem 1rem}
.finding{margin:.75rem 0;border-left:.4rem solid var(--bad)}.finding.known{border-left-color:var(--warn)}
.finding dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.4rem 0 0}
.finding dt{color:var(--soft)}.finding dd{margin:0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft);white-space:nowrap}
.number{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal;white-space:nowrap}
td.text{min-width:6rem}td code{white-space:nowrap}
.chart td{padding:.1rem .6rem;vertical-align:middle}.chart td.plot{width:60%;min-width:20rem}
svg{display:block;width:100%;height:2rem}svg.axis{height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
svg.axis text{font-size:14px}
.bars{fill:var(--bar)}.base{stroke:var(--line)}
summary{cursor:pointer}footer{margin-top:2rem;border-top:1px solid var(--line);padding-top:.5rem;color:var(--soft)}
@media print{body{max-width:none;padding:0;font-size:10pt}
table{font-size:8pt}th,td{padding:.2rem .3rem}th{white-space:normal}td.text{min-width:3rem}
.finding,tr,svg{break-inside:avoid}h2{break-after:avoid}
.wide{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}@page{margin:15mm}}
"""
