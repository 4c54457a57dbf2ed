# Completion of mqtt for PowerShell. What is offered comes from the program that is being typed.

Register-ArgumentCompleter -Native -CommandName 'mqtt' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $elements = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition })
    $words = @($elements | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    if ($elements[-1].Extent.EndOffset -lt $cursorPosition) {
        $words += ''
    }
    $program = $words[0]
    $OutputEncoding = [System.Text.UTF8Encoding]::new($false)
    $lines = @([string]::Join([char]0, $words) | & $program __complete powershell 2>$null)
    if ($lines.Count -lt 3) {
        return
    }
    if ($lines[0] -eq 'words') {
        $lines | Select-Object -Skip 3 | ForEach-Object {
            $word, $help = $_.Split("`t", 2)
            if (-not $help) { $help = $word }
            $quoted = if ($word -match "[\s'`"`$#&|;<>(){}@,``]") { "'" + $word.Replace("'", "''") + "'" } else { $word }
            [System.Management.Automation.CompletionResult]::new($quoted, $word, 'ParameterValue', $help)
        }
    } elseif ($lines[0] -in 'files', 'directories') {
        $prefix = $lines[1]
        Get-ChildItem -Path "$($lines[2])*" -Directory:($lines[0] -eq 'directories') | ForEach-Object {
            $folder = Split-Path -Path $lines[2]
            $path = if ($folder) { Join-Path $folder $_.Name } else { $_.Name }
            [System.Management.Automation.CompletionResult]::new("$prefix$path", $_.Name, 'ProviderItem', $path)
        }
    }
}
