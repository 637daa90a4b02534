{{/* Names and labels. */}}

{{- define "switchboard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "switchboard.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- else if contains (include "switchboard.name" .) .Release.Name }}
{{- .Release.Name | trunc 54 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "switchboard.name" .) | trunc 54 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* selector: takes a dict of root and component; an empty component selects all. */}}
{{- define "switchboard.selector" -}}
app.kubernetes.io/name: {{ include "switchboard.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with get . "component" }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "switchboard.labels" -}}
{{ include "switchboard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "switchboard.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "switchboard.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "switchboard.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* components: the Deployments, each with its values, as JSON. */}}
{{- define "switchboard.components" -}}
{{- if eq .Values.mode "serve" }}
{{- dict "serve" .Values.worker | toJson }}
{{- else }}
{{- dict "api" .Values.api "worker" .Values.worker | toJson }}
{{- end }}
{{- end }}

{{/* api, worker: the component whose pods are the API; that whose pods deliver. */}}
{{- define "switchboard.api" -}}
{{- ternary "serve" "api" (eq .Values.mode "serve") }}
{{- end }}
{{- define "switchboard.worker" -}}
{{- ternary "serve" "worker" (eq .Values.mode "serve") }}
{{- end }}
