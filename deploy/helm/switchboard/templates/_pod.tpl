{{/* What pods of Deployments and of Jobs have in common. */}}

{{/* secrets: the environment that comes from secrets, the same in every process. */}}
{{- define "switchboard.secrets" -}}
- name: SWITCHBOARD_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name }}, key: {{ .Values.secret.databaseURLKey }}}}
- name: SWITCHBOARD_ENCRYPTION_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.secret.name }}, key: {{ .Values.secret.encryptionKeyKey }}}}
{{- with .Values.temporal.apiKey }}
{{- if .secretName }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .secretName }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "switchboard.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{- define "switchboard.containerSpec" -}}
image: {{ include "switchboard.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* volumes and volumeMounts take a dict of root and extra: Jobs have none of the extra ones,
     which may be part of the release that does not exist yet. */}}
{{- define "switchboard.volumeMounts" -}}
{{- $tls := .root.Values.temporal.tls.secretName }}
{{- $extra := and .extra .root.Values.extraVolumeMounts }}
{{- if or $tls $extra }}
volumeMounts:
{{- if $tls }}
  - {name: temporal-tls, mountPath: /etc/switchboard/temporal, readOnly: true}
{{- end }}
{{- with $extra }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "switchboard.volumes" -}}
{{- $tls := .root.Values.temporal.tls.secretName }}
{{- $extra := and .extra .root.Values.extraVolumes }}
{{- if or $tls $extra }}
volumes:
{{- with $tls }}
  - name: temporal-tls
    secret: {secretName: {{ . }}}
{{- end }}
{{- with $extra }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
