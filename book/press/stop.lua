-- stop.lua: ends the build if an earlier filter complained (see report.lua).

function Pandoc(doc)
  if pandoc.utils.stringify(doc.meta.problems or '0') ~= '0' then os.exit(1) end
  doc.meta.problems = nil
  return doc
end
