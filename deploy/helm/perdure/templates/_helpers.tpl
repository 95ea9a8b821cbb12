{{- define "perdure.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects: never changes between releases. */}}
{{- define "perdure.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .queue }}
perdure/queue: {{ . }}
{{- end }}
{{- end -}}

{{- define "perdure.labels" -}}
{{ include "perdure.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "perdure.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Plain variables; secrets come from the Secret. */}}
{{- define "perdure.environment" -}}
- {name: TEMPORAL_ADDRESS, value: {{ required "temporal.address is the address of Temporal, for example temporal-frontend.temporal:7233" .Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .Values.temporal.namespace | quote }}}
- {name: OBJECT_STORE_URL, value: {{ required "objectStore.url is the address of the object store, for example s3://bucket" .Values.objectStore.url | quote }}}
- {name: PERDURE_SECURE_COOKIES, value: {{ hasPrefix "https:" .Values.publicUrl | quote }}}
{{- with .Values.publicUrl }}
- {name: PERDURE_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.temporal.uiUrl }}
- {name: TEMPORAL_UI_URL, value: {{ . | quote }}}
{{- end }}
{{- if .Values.temporal.tlsSecret }}
- {name: TEMPORAL_TLS_CERT, value: /etc/perdure/temporal-tls/tls.crt}
- {name: TEMPORAL_TLS_KEY, value: /etc/perdure/temporal-tls/tls.key}
{{- end }}
{{- with .Values.tracing.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .Values.buildId }}
- {name: PERDURE_BUILD_ID, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .Values.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{- define "perdure.secret" -}}
- secretRef:
    name: {{ required "existingSecret names a Secret with DATABASE_URL, PERDURE_SECRET_KEY and PERDURE_MASTER_KEYS" .Values.existingSecret }}
{{- end -}}

{{- define "perdure.mounts" -}}
- {name: temporary, mountPath: /tmp}
- {name: home, mountPath: /var/lib/perdure}
{{- if .Values.temporal.tlsSecret }}
- {name: temporal-tls, mountPath: /etc/perdure/temporal-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "perdure.volumes" -}}
- name: temporary
  emptyDir: {sizeLimit: {{ .Values.temporaryStorage }}}
- name: home
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.temporal.tlsSecret }}
- name: temporal-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "perdure.scrape" -}}
{{- if and .root.Values.metrics.annotations (not .root.Values.metrics.podMonitor.enabled) }}
prometheus.io/scrape: "true"
prometheus.io/path: /metrics
prometheus.io/port: {{ .port | quote }}
{{- end }}
{{- end -}}

{{- define "perdure.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
