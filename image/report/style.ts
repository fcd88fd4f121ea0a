/** The style sheet of the report. Its colours have the contrast of WCAG AA on both backgrounds. */
export const style = `
:root{color-scheme:light dark;--back:light-dark(#fff,#14171c);--text:light-dark(#1c2128,#e6e9ee);--soft:light-dark(#59636e,#9da7b3);--line:light-dark(#d8dee4,#30363d);
--add:light-dark(#1a7f55,#3fb983);--del:light-dark(#c4501b,#f0884a);--bar:light-dark(#3266b4,#6ea5f0);
--l0:light-dark(#eef1f4,#21262d);--l1:light-dark(#b9d2f3,#1f3f6b);--l2:light-dark(#7fabe6,#2f5f9f);--l3:light-dark(#4680cb,#5590dd);--l4:light-dark(#1f4f96,#a5cbff);
--t0:light-dark(#d5e4f7,#1f3a5f);--t1:light-dark(#dcebe2,#1d4034);--t2:light-dark(#f3e4d8,#4d3020)}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:none;text-size-adjust:none}
body{margin:0 auto;max-width:1200px;padding:28px 20px;background:var(--back);color:var(--text);font:15px/1.45 system-ui,sans-serif}
h1{margin:0;font-size:30px;font-weight:650;letter-spacing:-.02em}
h2{margin:0;font-size:16px;font-weight:650}
p{margin:2px 0 12px;color:var(--soft)}
header p{font-size:17px}
ul{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0 0 26px;padding:0;list-style:none;color:var(--soft)}
b{color:var(--text);font-size:19px;font-weight:650}
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:34px 44px}
figure,section{margin:0;min-width:0}
svg{display:block;width:100%;height:auto;overflow:visible}
text{fill:var(--soft);font-size:11px}
.name{fill:var(--text)}.in{fill:var(--text);font-size:11px}.in.name{font-weight:650}
.end{text-anchor:end}
.cells rect{width:var(--size);height:var(--size);rx:2px}
.grid{stroke:var(--line);stroke-width:.6}.axis{stroke:var(--soft);stroke-width:.8}
.add{fill:var(--add)}.del{fill:var(--del)}.bar{fill:var(--bar)}.back{fill:var(--back)}
.l0{fill:var(--l0)}.l1{fill:var(--l1)}.l2{fill:var(--l2)}.l3{fill:var(--l3)}.l4{fill:var(--l4)}
.t0{fill:var(--t0)}.t1{fill:var(--t1)}.t2{fill:var(--t2)}.t0,.t1,.t2{stroke:var(--back);stroke-width:1.5}
details{margin-top:8px;color:var(--soft);font-size:13px}
summary{cursor:pointer;width:max-content}
details[open] table{display:block;max-height:340px;overflow:auto}
table{width:100%;border-collapse:collapse;font-size:13px;color:var(--text)}
th{padding:4px 8px 4px 0;text-align:left;font-weight:500;color:var(--soft);border-bottom:1px solid var(--line)}
td{padding:4px 8px 4px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.spark{width:34%;min-width:76px;padding-left:16px}td.spark svg{height:22px}
footer{margin-top:30px;font-size:13px}
@media(min-width:980px){.wide{grid-column:1/-1}figure.wide text{font-size:5.5px}}
@media(max-width:600px){section.wide :is(td,th):nth-child(2){display:none}th,td{padding-right:5px}text{font-size:14px}.name{font-size:13px}.in,.in.name{font-size:11px}}
`.trim();
