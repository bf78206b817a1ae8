/** The completion scripts of shells. They ask the program, so they know every command of the version that runs. */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

const bash = `# Completion of pl-vnm for bash. Load it with: source <(pl-vnm completion bash)
_pl_vnm() {
  local current="\${COMP_WORDS[COMP_CWORD]}" word
  [[ $current == '=' ]] && current=''
  COMPREPLY=()
  while IFS= read -r word; do
    word="\${word%%$'\\t'*}"
    case "$word" in
      :none) ;;
      :any)
        compopt -o filenames 2> /dev/null
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
        ;;
      :yaml)
        compopt -o filenames 2> /dev/null
        while IFS= read -r word; do
          if [[ -d $word || $word == *.yaml || $word == *.yml ]]; then COMPREPLY+=("$word"); fi
        done < <(compgen -f -- "$current")
        ;;
      *) COMPREPLY+=("$word") ;;
    esac
  done < <(pl-vnm completion bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F _pl_vnm pl-vnm`;

const zsh = `#compdef pl-vnm
# Completion of pl-vnm for zsh. Load it with: source <(pl-vnm completion zsh)
# or write it to a file _pl-vnm in a directory of $fpath.
_pl-vnm() {
  local -a candidates
  local line files=:none
  for line in "\${(@f)$(pl-vnm completion zsh -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
    case $line in
      :none | :any | :yaml) files=$line ;;
      ?*) line=\${line//:/\\\\:}; candidates+=("\${line/$'\\t'/:}") ;;
    esac
  done
  (( \${#candidates} )) && _describe pl-vnm candidates
  case $files in
    :any) _files ;;
    :yaml) _files -g '*.(yaml|yml)' ;;
  esac
}
if [[ \${funcstack[1]} == _pl-vnm ]]; then
  _pl-vnm "$@"
else
  compdef _pl-vnm pl-vnm
fi`;

const fish = `# Completion of pl-vnm for fish. Load it with: pl-vnm completion fish | source
# or write it to ~/.config/fish/completions/pl-vnm.fish
function __pl_vnm_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    for line in (pl-vnm completion fish -- $words "$current" 2> /dev/null)
        switch $line
            case :none
            case :any
                __fish_complete_path "$current"
            case :yaml
                __fish_complete_suffix "$current" .yaml
                __fish_complete_suffix "$current" .yml
            case '*'
                echo $line
        end
    end
end
complete --command pl-vnm --no-files --arguments '(__pl_vnm_complete)'`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
