# Completion of gemel's command line for bash.

_gemel() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}" found
  COMPREPLY=()
  # One a line, for names with blanks in them.
  local IFS=$'\n'
  case "$before" in
    -c | --conf | --against)
      compopt -o filenames 2>/dev/null
      for found in $(compgen -f -X '!*.toml' -- "$word") $(compgen -d -- "$word"); do
        COMPREPLY+=("$found")
      done
      return
      ;;
    --host | --port | --user | --interval | --count) return ;;
  esac
  IFS=$' \n'
  local words="--help --conf --test-conf --against --take-over --example-config --version top"
  if [[ " ${COMP_WORDS[*]:1:COMP_CWORD-1} " == *" top "* ]]; then
    words="--help --host --port --user --interval --count"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -F _gemel gemel
