{{/* The namespace of the controller. */}}
{{- define "controller.namespace" -}}
{{- .Values.metadata.namespace | default .Values.global.namespace | default .Release.Namespace -}}
{{- end }}

{{/* What selects the pods: the umbrella chart's labels, or the name. */}}
{{- define "controller.selectorLabels" -}}
{{- if .Values.global.selectorLabels -}}
{{- tpl (toYaml .Values.global.selectorLabels) . -}}
{{- else -}}
app.kubernetes.io/name: {{ .Values.name }}
{{- end -}}
{{- end }}

{{/* Labels of every object. */}}
{{- define "controller.labels" -}}
{{ include "controller.selectorLabels" . }}
app.kubernetes.io/part-of: aenv
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.global.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "controller.account" -}}
{{- .Values.serviceAccount.name | default (ternary "aenv-controller" "default" .Values.serviceAccount.create) -}}
{{- end }}

{{/* The settings: .Values.config, and where the mounted Secrets are. */}}
{{- define "controller.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if .Values.auth.existingSecret -}}
{{- $config = mergeOverwrite $config (dict "auth" (dict "tokens_file" "/etc/aenv/auth/tokens")) -}}
{{- end -}}
{{- if .Values.tls.existingSecret -}}
{{- $tls := dict "cert_file" "/etc/aenv/tls/tls.crt" "key_file" "/etc/aenv/tls/tls.key" -}}
{{- if .Values.tls.clientCa -}}
{{- $_ := set $tls "client_ca_file" "/etc/aenv/tls/ca.crt" -}}
{{- end -}}
{{- $config = mergeOverwrite $config (dict "tls" $tls) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* The ports that the settings name. */}}
{{- define "controller.port" -}}{{ dig "server" "port" 8080 .Values.config | int }}{{- end }}
{{- define "controller.readinessPort" -}}{{ dig "server" "readiness_port" 8081 .Values.config | int }}{{- end }}
{{- define "controller.metricsPort" -}}
{{- dig "server" "metrics_addr" ":8088" .Values.config | splitList ":" | last | int -}}
{{- end }}

{{/* How long the pod may take to end: the preStop sleep, lame duck, drain, and some seconds. */}}
{{- define "controller.gracePeriod" -}}
{{- $lameDuck := dig "server" "lame_duck_ms" 3000 .Values.config | int -}}
{{- $drain := dig "server" "drain_ms" 20000 .Values.config | int -}}
{{- add 5 12 (div (add $lameDuck $drain 999) 1000) -}}
{{- end }}
