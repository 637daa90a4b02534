{{/* job: takes a dict of root, component (migrate or setup), the component's values and its
     weight. It is a hook: it runs before the release has a ConfigMap or an account, so its
     settings are written into it. */}}
{{- define "switchboard.job" -}}
{{- $root := .root }}
{{- $labels := dict "root" $root "component" .component }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "switchboard.fullname" $root }}-{{ .component }}
  labels:
    {{- include "switchboard.labels" $labels | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ .weight | quote }}
    # One that failed stays, so that its log can be read, until the next one.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  activeDeadlineSeconds: {{ .values.activeDeadlineSeconds }}
  backoffLimit: {{ .values.backoffLimit }}
  template:
    metadata:
      labels:
        {{- include "switchboard.labels" $labels | nindent 8 }}
      {{- with .values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "switchboard.podSpec" $root | nindent 6 }}
      restartPolicy: Never
      containers:
        - name: {{ .component }}
          args: [{{ .component }}]
          {{- include "switchboard.containerSpec" $root | nindent 10 }}
          env:
            {{- range $name, $value := $root.Values.config }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
            {{- include "switchboard.secrets" $root | nindent 12 }}
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {memory: 512Mi}
          {{- include "switchboard.volumeMounts" (dict "root" $root "extra" false) | nindent 10 }}
      {{- include "switchboard.volumes" (dict "root" $root "extra" false) | nindent 6 }}
{{- end }}
