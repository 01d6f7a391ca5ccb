package main

// completionTexts are the scripts. Each follows the words of the line to the command that is meant, and then offers its
// words, its flags or the values of the flag before. What is typed is only compared, never run.
const completionTexts = `
{{- define "bash" -}}
# Completes the command line of curfew in bash. Made by: curfew completion bash

_curfew_command() { # sets words, flags and args of the command $1; a flag that takes a value ends in =
    words='' flags='' args='' files=''
    case $1 in
{{- range .}}
    '{{.Path}}') words='{{words .Words}}' flags='{{flags .Flags}}' args='{{join .Values}}'{{if .Files}} files=yes{{end}} ;;
{{- end}}
    esac
}

_curfew_values() { # sets args to the values of the flag $2 of the command $1
    args='' files=''
    case "$1 $2" in
{{- range $c := .}}{{range .Flags}}{{if .Values}}
    '{{$c.Path}} {{.Name}}') args='{{join .Values}}' ;;
{{- else if .Files}}
    '{{$c.Path}} {{.Name}}') files=yes ;;
{{- end}}{{end}}{{end}}
    esac
}

_curfew() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" at='' i=1 word words flags args files
    if [[ $cur == '=' ]]; then
        cur=''
    elif [[ $prev == '=' ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
    while (( i < COMP_CWORD )); do
        word="${COMP_WORDS[i]}"
        _curfew_command "$at"
        if [[ " $flags " == *" $word= "* ]]; then
            i=$(( i + 1 ))
            [[ "${COMP_WORDS[i]}" == '=' ]] && i=$(( i + 1 ))
        elif [[ " $words " == *" $word "* ]]; then
            at="${at:+$at }$word"
        fi
        i=$(( i + 1 ))
    done
    _curfew_command "$at"
    if [[ " $flags " == *" $prev= "* ]]; then
        _curfew_values "$at" "$prev"
    elif [[ $cur == -* ]] || [[ -z $words$args$files ]]; then
        args="${flags//=/}" files=''
    else
        args="$words $args"
    fi
    local IFS=$' \t\n'
    COMPREPLY=( $(compgen -W "$args" -- "$cur") )
    if [[ -n $files ]]; then
        IFS=$'\n'
        COMPREPLY+=( $(compgen -f -- "$cur") )
        compopt -o filenames 2>/dev/null
    fi
    return 0
}

complete -F _curfew curfew
{{end}}

{{- define "zsh" -}}
#compdef curfew
# Completes the command line of curfew in zsh. Made by: curfew completion zsh

_curfew_command() { # sets subs, flags, takes and args of the command $1
    subs=() flags=() takes='' args='' files=''
    case $1 in
{{- range .}}
    '{{.Path}}')
        subs=({{range .Words}} '{{.Name}}:{{zsh .Help}}'{{end}} )
        flags=({{range .Flags}} '{{.Name}}:{{zsh .Help}}'{{end}} )
        takes='{{range .Flags}}{{if .Takes}} {{.Name}}{{end}}{{end}} ' args='{{join .Values}}'{{if .Files}} files=yes{{end}} ;;
{{- end}}
    esac
}

_curfew_values() { # sets args to the values of the flag $2 of the command $1
    args='' files=''
    case "$1 $2" in
{{- range $c := .}}{{range .Flags}}{{if .Values}}
    '{{$c.Path}} {{.Name}}') args='{{join .Values}}' ;;
{{- else if .Files}}
    '{{$c.Path}} {{.Name}}') files=yes ;;
{{- end}}{{end}}{{end}}
    esac
}

_curfew() {
    local at='' word before='' takes args files i=2
    local -a subs flags
    while (( i < CURRENT )); do
        word=${words[i]}
        before=''
        _curfew_command "$at"
        if [[ $takes == *" $word "* ]]; then
            before=$word
            i=$(( i + 1 ))
        elif (( ${subs[(I)$word:*]} )); then
            at="${at:+$at }$word"
        fi
        i=$(( i + 1 ))
    done
    _curfew_command "$at"
    if (( i == CURRENT )); then
        before=''
    fi
    if [[ ${words[CURRENT]} == --*=* ]] && [[ $takes == *" ${words[CURRENT]%%=*} "* ]]; then
        before=${words[CURRENT]%%=*}
        compset -P 1 '*='
    fi
    if [[ -n $before ]]; then
        _curfew_values "$at" "$before"
    elif [[ ${words[CURRENT]} == -* ]] || [[ -z "$subs$args$files" ]]; then
        _describe -o flag flags
        return
    elif (( $#subs )); then
        _describe command subs
        return
    fi
    [[ -n $args ]] && compadd -- ${=args}
    [[ -n $files ]] && _files
    return 0
}

if [[ $funcstack[1] == _curfew ]]; then
    _curfew "$@"
else
    compdef _curfew curfew
fi
{{end}}

{{- define "fish" -}}
# Completes the command line of curfew in fish. Made by: curfew completion fish

function __curfew_takes # whether the flag $argv[2] of the command $argv[1] takes a value
    switch "$argv[1] $argv[2]"
        case{{range $c := .}}{{range .Flags}}{{if .Takes}} '{{$c.Path}} {{.Name}}'{{end}}{{end}}{{end}}
            return 0
    end
    return 1
end

function __curfew_at # whether the line has come to the command $argv[1]
    set -l at ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if __curfew_takes "$at" "$word"
            set skip 1
        else
            switch (string trim "$at $word")
                case{{range .}}{{if .Path}} '{{.Path}}'{{end}}{{end}}
                    set at (string trim "$at $word")
            end
        end
    end
    test "$at" = "$argv[1]"
end

complete -c curfew -f
{{- range $c := .}}
{{- range .Words}}
complete -c curfew -n '__curfew_at "{{$c.Path}}"' -a '{{.Name}}' -d '{{fish .Help}}'
{{- end}}
{{- range .Flags}}
complete -c curfew -n '__curfew_at "{{$c.Path}}"' -l '{{bare .Name}}'{{if .Files}} -rF{{else if .Takes}} -x{{end}}{{if .Values}} -a '{{join .Values}}'{{end}} -d '{{fish .Help}}'
{{- end}}
{{- if .Values}}
complete -c curfew -n '__curfew_at "{{.Path}}"' -a '{{join .Values}}'
{{- end}}
{{- if .Files}}
complete -c curfew -n '__curfew_at "{{.Path}}"' -F
{{- end}}
{{- end}}
{{end}}

{{- define "powershell" -}}
# Completes the command line of curfew in PowerShell. Made by: curfew completion powershell

Register-ArgumentCompleter -Native -CommandName curfew -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commands = @{
{{- range .}}
        '{{.Path}}' = @{
            Words = [ordered]@{ {{- range .Words}} '{{.Name}}' = '{{powershell .Help}}'; {{- end}} }
            Flags = [ordered]@{ {{- range .Flags}} '{{.Name}}' = '{{powershell .Help}}'; {{- end}} }
            Takes = @{ {{- range .Flags}}{{if .Takes}} '{{.Name}}' = '{{join .Values}}'; {{- end}}{{end}} }
            Values = '{{join .Values}}'
        }
{{- end}}
    }
    $typed = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | Select-Object -Skip 1 | ForEach-Object { $_.Extent.Text })
    $at = ''
    $before = ''
    foreach ($word in $typed) {
        if ($before -ne '') {
            $before = ''
        } elseif ($commands[$at].Takes.ContainsKey($word)) {
            $before = $word
        } elseif ($commands[$at].Words.Contains($word)) {
            $at = "$at $word".Trim()
        }
    }
    $here = $commands[$at]
    $prefix = ''
    if ($wordToComplete -match '^(--[^=]+)=(.*)$' -and $here.Takes.ContainsKey($Matches[1])) {
        $before = $Matches[1]
        $prefix = "$before="
        $wordToComplete = $Matches[2]
    }
    $offers = [ordered]@{}
    if ($before -ne '') {
        foreach ($value in $here.Takes[$before].Split(' ', [StringSplitOptions]::RemoveEmptyEntries)) { $offers[$value] = $value }
    } elseif ($wordToComplete.StartsWith('-') -or ($here.Words.Count -eq 0 -and $here.Values -eq '')) {
        $offers = $here.Flags
    } else {
        foreach ($name in $here.Words.Keys) { $offers[$name] = $here.Words[$name] }
        foreach ($value in $here.Values.Split(' ', [StringSplitOptions]::RemoveEmptyEntries)) { $offers[$value] = $value }
    }
    foreach ($name in $offers.Keys) {
        if ($name.StartsWith($wordToComplete)) {
            [System.Management.Automation.CompletionResult]::new("$prefix$name", $name, 'ParameterValue', $offers[$name])
        }
    }
}
{{end -}}
`
