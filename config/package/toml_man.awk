# Makes the sections of gemel.toml(5) of config/gemel.toml: each option with its default and what is said of it.

function escape(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  gsub(/"/, "\\(dq", text)  # a macro's argument would lose them
  if (text ~ /^[.']/) text = "\\&" text
  return text
}
function print_text(text) {
  sub(/^ +/, "", text)
  sub(/ +$/, "", text)
  if (text != "") print escape(text)
}

{ line = $0 }

# Some sections stand in comments whole.
line !~ /^#/ { in_comment = 0 }
line ~ /^# \[\[/ { in_comment = 1 }
in_comment { sub(/^# ?/, "", line) }

line ~ /^ *$/ { paragraph = ""; next }

line ~ /^\[/ {
  match(line, /^\[+[a-z_]+\]+/)
  title = substr(line, 1, RLENGTH)
  rest = substr(line, RLENGTH + 1)
  # The second shard of the example is as the first.
  skip = title in seen
  seen[title] = 1
  started = 1
  if (skip) next
  print ".SH " escape(title)
  print_text(paragraph)
  paragraph = ""
  sub(/^ *# ?/, "", rest)
  print_text(rest)
  next
}

# Before the first section stands what the page itself says.
!started { next }

line ~ /^#/ {
  sub(/^# ?/, "", line)
  paragraph = paragraph (paragraph == "" ? "" : " ") line
  next
}

skip { next }

line ~ /^[a-z_0-9]+ *=/ {
  text = ""
  # A number sign in a string is no comment; no option has one.
  if (match(line, / +# /)) {
    text = substr(line, RSTART + RLENGTH)
    line = substr(line, 1, RSTART - 1)
  }
  print ".TP"
  print ".B " escape(line)
  print_text(text)
  next
}

# More of the comment of an option, or of a section's title.
line ~ /^ +# / {
  sub(/^ *# ?/, "", line)
  print_text(line)
}
